// Package setup writes what a target needs in AWS, and what a first target needs on disk: trust and
// permission policies, CloudFormation, Terraform, keys, and the files of init. The same settings
// give the same text, and a text from outside is never interpreted as template language. It makes
// no network calls and replaces no file.
package setup
