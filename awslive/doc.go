// Package awslive asks a real AWS account what AWS's documents leave open about
// AssumeRoleWithSAML, and writes the answers down. It has tests only: see README.md. The tests
// without the tag aws show with ststest that each question is asked as it is meant.
package awslive
