package setup

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// What pages may send to a bucket, and read in its answers (Amazon S3 User Guide, "Elements of a
// CORS configuration"). POST is for multipart uploads. The SDK sends a signature, a session token
// and checksums in its own headers.
var (
	pageMethods = []any{"GET", "HEAD", "PUT", "POST", "DELETE"}
	pageHeaders = []any{"*"}
	pageReads   = []any{"ETag"}
)

// pageSeconds is how long a browser may remember the answer to a preflight.
const pageSeconds = 600

// pages also allows the pages that may call the service to use the bucket.
func (o *Options) pages(made *Resources, trust *Trust) error {
	if !o.CORS {
		return nil
	}
	if o.Part == ProviderPart || o.Bucket == "" {
		return config.Usage(errors.New("--cors needs a bucket: add --bucket, and leave out " +
			"--part provider"))
	}
	for _, origin := range trust.Settings.HTTP.AllowedOrigins {
		made.Origins = append(made.Origins, origin)
	}
	if len(made.Origins) == 0 {
		at := config.KeyPath("http").Child("allowed_origins")
		return config.Usagef("%s: is missing or empty: --cors needs the origins of your pages, "+
			"such as https://app.example.com", trust.From.At(at))
	}
	made.Bucket = o.Bucket
	made.BucketElsewhere = o.BucketAccount != "" && o.BucketAccount != made.Principal.AccountID
	return nil
}

// corsByHand notes the command that sets the bucket's CORS configuration.
func (s *Resources) corsByHand(why string) error {
	document, err := json.Marshal(map[string]any{"CORSRules": []any{map[string]any{
		"AllowedOrigins": s.Origins,
		"AllowedMethods": pageMethods,
		"AllowedHeaders": pageHeaders,
		"ExposeHeaders":  pageReads,
		"MaxAgeSeconds":  pageSeconds,
	}}})
	if err != nil {
		return err
	}
	s.Notes = append(s.Notes, fmt.Sprintf("%s. This command lets pages use the bucket, and "+
		"replaces all its CORS rules: aws s3api put-bucket-cors --bucket %s "+
		"--cors-configuration %s", why, term.ShellWord(s.Bucket),
		term.ShellWord(string(document))))
	return nil
}

// bucketCORS writes the CORS configuration of the bucket, if pages use it.
func (s *Resources) bucketCORS(f *hclFile) error {
	if len(s.Origins) == 0 {
		return nil
	}
	if s.BucketElsewhere {
		return s.corsByHand("the bucket is another account's, and this file is for one account")
	}
	s.Notes = append(s.Notes, "the file replaces all existing CORS rules of the bucket "+s.Bucket)
	f.block("resource", []string{"aws_s3_bucket_cors_configuration", s.label()},
		attribute("bucket", s.Bucket),
		emptyLine,
		block("cors_rule",
			attribute("allowed_origins", s.Origins),
			attribute("allowed_methods", pageMethods),
			attribute("allowed_headers", pageHeaders),
			attribute("expose_headers", pageReads),
			attribute("max_age_seconds", int64(pageSeconds))))
	return nil
}
