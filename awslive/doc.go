// Package awslive asks a real AWS account what AWS's documents leave open about AssumeRoleWithSAML,
// and writes the answers down. It contains only tests: see README.md. The tests without the tag aws
// use ststest to check that each question is asked as intended.
package awslive
