package ststest

import (
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/iampolicy"
)

// keyHeaders are the headers with a condition key, which is s3: and the header's name (Service
// Authorization Reference, Condition keys for Amazon S3).
var keyHeaders = []string{
	"X-Amz-Acl", "X-Amz-Bucket-Namespace", "X-Amz-Content-Sha256", "X-Amz-Copy-Source",
	"X-Amz-Grant-Full-Control", "X-Amz-Grant-Read", "X-Amz-Grant-Read-Acp", "X-Amz-Grant-Write",
	"X-Amz-Grant-Write-Acp", "X-Amz-Metadata-Directive", "X-Amz-Object-Ownership",
	"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
	"X-Amz-Server-Side-Encryption-Customer-Algorithm", "X-Amz-Storage-Class",
	"X-Amz-Website-Redirect-Location",
}

// readKeys sets the condition keys of a request to S3.
func (o *s3Operation) readKeys() error {
	o.context = iampolicy.Context{}
	for _, name := range keyHeaders {
		o.context["s3:"+strings.ToLower(name)] = o.header.Values(name)
	}
	// The gate has replaced this header if the payload came in chunks.
	if hash := o.r.signed.hash; hash != "" && !o.r.signed.presigned {
		o.context["s3:x-amz-content-sha256"] = []string{hash}
	}
	o.context["s3:if-match"] = o.header.Values("If-Match")
	o.context["s3:if-none-match"] = o.header.Values("If-None-Match")
	for _, name := range []string{"prefix", "delimiter", "max-keys"} {
		o.context["s3:"+name] = nil
		if o.r.Method == http.MethodGet { // HEAD of a bucket lists nothing
			o.context["s3:"+name] = o.query[name]
		}
	}
	o.context["s3:VersionId"] = o.query["versionId"]
	o.context["s3:locationconstraint"] = nil
	o.readAuthentication()
	if err := o.readTags(); err != nil {
		return err
	}
	return o.readLock()
}

func (o *s3Operation) readAuthentication() {
	for _, key := range []string{"s3:signatureversion", "s3:authType", "s3:signatureAge"} {
		o.context[key] = nil
	}
	version := uint16(tls.VersionTLS13) // as aws:SecureTransport is true, also over plain HTTP
	if o.r.TLS != nil {
		version = o.r.TLS.Version
	}
	o.context["s3:TlsVersion"] = []string{strings.TrimPrefix(tls.VersionName(version), "TLS ")}
	signed := o.r.signed
	if o.r.Account != "" {
		o.context["s3:signatureversion"] = []string{sigAlgorithm}
		o.context["s3:authType"] = []string{"REST-HEADER"}
	}
	if signed.presigned {
		o.context["s3:authType"] = []string{"REST-QUERY-STRING"}
		o.context["s3:signatureAge"] = []string{strconv.FormatInt(signed.age.Milliseconds(), 10)}
	}
}

// creates says whether the request creates an object, or only begins one or adds a part (Amazon S3
// User Guide, Enforce conditional writes on Amazon S3 buckets).
func (o *s3Operation) creates(object bool) {
	o.context["s3:ObjectCreationOperation"] = []string{strconv.FormatBool(object)}
}

// isPutOf reports whether the request sets a sub-resource of an object.
func (o *s3Operation) isPutOf(subresource string) bool {
	return o.r.Method == http.MethodPut && o.key != "" && o.subresource == subresource
}

// readBody reads a document in the body, which may be empty.
func (o *s3Operation) readBody(document any) error {
	if len(o.r.Payload) == 0 {
		return nil
	}
	if err := xml.Unmarshal(o.r.Payload, document); err != nil {
		return fmt.Errorf("the body is not the document of S3 for %s of %q: %w", o.r.Method,
			o.subresource, err)
	}
	return nil
}

// readTags sets the keys of the tags that a request gives an object, in a header or, for
// PutObjectTagging, in the body.
func (o *s3Operation) readTags() error {
	tags, err := url.ParseQuery(o.header.Get("X-Amz-Tagging"))
	if err != nil {
		return fmt.Errorf("the header x-amz-tagging is not URL-encoded: %w", err)
	}
	if o.isPutOf("tagging") {
		var body struct {
			Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
		}
		if err := o.readBody(&body); err != nil {
			return err
		}
		tags = url.Values{}
		for _, tag := range body.Tags {
			tags.Add(tag.Key, tag.Value)
		}
	}
	o.context["s3:RequestObjectTag/"] = nil // there are no others than those below
	o.context["s3:RequestObjectTagKeys"] = nil
	var keys []string
	for key, values := range tags {
		o.context["s3:RequestObjectTag/"+key] = values
		keys = append(keys, key)
	}
	slices.Sort(keys)
	o.context["s3:RequestObjectTagKeys"] = keys
	return nil
}

// readLock sets the keys of the Object Lock that a request gives an object, in headers or, for
// PutObjectRetention and PutObjectLegalHold, in the body.
func (o *s3Operation) readLock() error {
	mode := o.header.Get("X-Amz-Object-Lock-Mode")
	until := o.header.Get("X-Amz-Object-Lock-Retain-Until-Date")
	hold := o.header.Get("X-Amz-Object-Lock-Legal-Hold")
	var body struct{ Mode, RetainUntilDate, Status string }
	if o.isPutOf("retention") || o.isPutOf("legal-hold") {
		if err := o.readBody(&body); err != nil {
			return err
		}
		mode = body.Mode
		until = body.RetainUntilDate
		hold = body.Status
	}
	o.setText("s3:object-lock-mode", mode)
	o.setText("s3:object-lock-legal-hold", hold)
	o.setText("s3:object-lock-retain-until-date", until)
	days := ""
	if until != "" {
		end, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return fmt.Errorf("the date until which the object is retained is %.40q; want one "+
				"such as 2027-01-31T00:00:00Z", until)
		}
		// No document says how S3 rounds. A client that asks for whole days is a moment late.
		left := math.Ceil(end.Sub(o.r.now).Hours() / 24)
		days = strconv.FormatFloat(left, 'f', 0, 64)
	}
	o.setText("s3:object-lock-remaining-retention-days", days)
	return nil
}

// setText sets a key, which has no value if the text is empty.
func (o *s3Operation) setText(key, text string) {
	o.context[key] = nil
	if text != "" {
		o.context[key] = []string{text}
	}
}
