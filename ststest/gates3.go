package ststest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/iampolicy"
)

// s3Host is a host name of S3, with the bucket of a virtual-hosted-style request (Amazon S3 User
// Guide, Virtual hosting of general purpose buckets; AWS General Reference, Amazon S3 endpoints).
var s3Host = newPattern(`\A(?:(.+)\.)?s3(?:-fips)?(?:[.-]dualstack|[.-]accelerate)?` +
	`(?:[.-][a-z]{2,4}(?:-[a-z]+)+-\d+)?\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|` +
	`c2s\.ic\.gov|sc2s\.sgov\.gov)\z`)

// bucketName has the characters of names of buckets, also of old ones.
var bucketName = newPattern(`\A[a-zA-Z0-9._-]{3,255}\z`)

// S3Access returns what a request to Amazon S3 needs (Amazon S3 User Guide, Required permissions
// for Amazon S3 API operations). It knows buckets in the path and in the host name, sub-resources,
// versions, multipart uploads, tags, ACLs and copies. A copy needs s3:GetObject of its source, and
// DeleteObjects needs s3:DeleteObject of each key. It refuses sub-resources and parameters that it
// does not know.
//
// A parameter of a presigned URL such as x-amz-acl counts as the header of that name. It is refused
// if it or the header has another value as well, and in a request that is not presigned.
//
// Its condition keys are those of the request: s3:prefix, s3:delimiter, s3:max-keys, s3:x-amz-…
// of the headers, s3:if-match, s3:if-none-match, s3:ObjectCreationOperation, s3:object-lock-…,
// s3:VersionId, s3:locationconstraint, s3:RequestObjectTag/…, s3:RequestObjectTagKeys,
// s3:authType, s3:signatureversion, s3:signatureAge, and s3:TlsVersion, which is 1.3 for a
// connection without TLS. An action has those that the Service Authorization Reference lists for
// it. A key that the action may have and the request does not have is there without values. What
// an object has, such as s3:ExistingObjectTag/…, only a function of [Gate.Access] can add.
func S3Access(r *SignedRequest) ([]Access, error) {
	if r.Header.Get("X-Amz-Target") != "" {
		return nil, errors.New("the request is signed for s3, which has no X-Amz-Target")
	}
	bucket, key, err := bucketAndKey(r)
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	header, err := s3Headers(r, query)
	if err != nil {
		return nil, err
	}
	o := &s3Operation{r: r, query: query, header: header, bucket: bucket, key: key}
	if err := o.findSubresource(); err != nil {
		return nil, err
	}
	if err := o.readKeys(); err != nil {
		return nil, err
	}
	switch {
	case bucket == "":
		return o.onService()
	case key == "":
		return o.onBucket()
	}
	return o.onObject()
}

// bucketAndKey reads the bucket and the key of a request, each of which may be missing.
func bucketAndKey(r *SignedRequest) (bucket, key string, err error) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host := hostName(r.Host)
	if found := s3Host.FindStringSubmatch(host); found != nil {
		bucket = found[1]
	} else if before, ok := strings.CutSuffix(host, "."+strings.ToLower(r.gateHost)); ok {
		bucket = before
	}
	key = path
	if bucket == "" {
		bucket, key, _ = strings.Cut(path, "/")
	}
	if bucket == "" && key != "" {
		return "", "", errors.New("the path has a key and no bucket, as in //key")
	}
	if bucket != "" && !bucketName.MatchString(bucket) {
		return "", "", fmt.Errorf("%.80q is not the name of a bucket", bucket)
	}
	return bucket, key, nil
}

// An s3Operation is a request to S3.
type s3Operation struct {
	r           *SignedRequest
	query       url.Values
	header      http.Header // with the parameters that count as headers: see s3Headers
	bucket, key string
	subresource string // in the query, such as acl; or empty

	// context has all keys that the gate reads of requests to S3, without values if this one does
	// not have them. The actions get their own: see needs.
	context iampolicy.Context
}

// plainParameters are those of the query that choose no sub-resource.
var plainParameters = []string{
	"list-type", "prefix", "delimiter", "max-keys", "marker", "start-after", "continuation-token",
	"encoding-type", "fetch-owner", "key-marker", "version-id-marker", "upload-id-marker",
	"max-uploads", "max-parts", "part-number-marker", "partNumber", "uploadId", "versionId",
	"max-buckets", "bucket-region", "x-id", "id", "select-type",
	"response-cache-control", "response-content-disposition", "response-content-encoding",
	"response-content-language", "response-content-type", "response-expires",
}

// signatureParameters are those of Signature Version 4 in the query (Amazon S3 API Reference,
// Authenticating Requests: Using Query Parameters).
var signatureParameters = []string{
	algorithmParameter, "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
	signatureParameter, securityTokenOfQuery,
}

// isAmz reports whether a parameter is one of AWS's own, such as x-amz-acl.
func isAmz(name string) bool { return strings.HasPrefix(strings.ToLower(name), "x-amz-") }

// s3Headers returns the headers of a request, and with them the parameters of a presigned URL that
// S3 reads as headers. SDKs move headers into the query when they presign: that for JavaScript
// moves most of them, such as x-amz-acl, and that for Go moves x-amz-grant-full-control.
func s3Headers(r *SignedRequest, query url.Values) (http.Header, error) {
	header := r.Header.Clone()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !isAmz(name) {
			continue
		}
		if !r.signed.presigned {
			return nil, fmt.Errorf("the parameter %.80q is in the query of a request that is not "+
				"presigned; send it as a header", name)
		}
		headerName := http.CanonicalHeaderKey(name)
		// The condition key s3:x-amz-content-sha256 is for the header alone (Amazon S3 API
		// Reference, Amazon S3 Signature Version 4 Authentication Specific Policy Keys).
		if slices.Contains(signatureParameters, name) || headerName == contentHashHeader {
			continue
		}
		if !isS3Header(headerName) {
			return nil, fmt.Errorf("the gate does not know the parameter %.80q; leave it out, or "+
				"set Gate.Access", name)
		}
		// The SDK for JavaScript, version 2, has x-amz-acl in both places with one value
		// (aws-sdk-js-v3, issue 5414). No document says which one of two values S3 takes.
		values := query[name]
		same := header[headerName] == nil || slices.Equal(header.Values(headerName), values)
		if len(values) > 1 || !same {
			return nil, fmt.Errorf("the request has several values of %.80q in its query and "+
				"headers; send one", name)
		}
		header[headerName] = values
	}
	return header, nil
}

// isS3Header reports whether requests to S3 have a header. The name is in canonical form.
func isS3Header(name string) bool {
	begins := func(beginning string) bool { return strings.HasPrefix(name, beginning) }
	return slices.Contains(keyHeaders, name) || slices.Contains(plainHeaders, name) ||
		slices.ContainsFunc(headerBeginnings, begins)
}

// plainHeaders are the headers of operations that the gate knows, apart from keyHeaders and
// headerBeginnings (Amazon S3 API Reference). The last two are of the AWS SDKs.
var plainHeaders = []string{
	"X-Amz-Tagging", "X-Amz-Tagging-Directive", "X-Amz-Bypass-Governance-Retention",
	"X-Amz-Request-Payer", "X-Amz-Expected-Bucket-Owner", "X-Amz-Source-Expected-Bucket-Owner",
	"X-Amz-Bucket-Object-Lock-Enabled", "X-Amz-Confirm-Remove-Self-Bucket-Access", "X-Amz-Mfa",
	"X-Amz-Object-Attributes", "X-Amz-Optional-Object-Attributes", "X-Amz-Max-Parts",
	"X-Amz-Part-Number-Marker", "X-Amz-Mp-Object-Size", "X-Amz-Write-Offset-Bytes",
	"X-Amz-Skip-Destination-Validation", "X-Amz-Transition-Default-Minimum-Object-Size",
	"X-Amz-Sdk-Checksum-Algorithm", "X-Amz-User-Agent",
}

// headerBeginnings are the beginnings of other headers of these operations.
var headerBeginnings = []string{
	"X-Amz-Meta-", "X-Amz-Checksum-", "X-Amz-Grant-", "X-Amz-Object-Lock-", "X-Amz-If-Match-",
	"X-Amz-Copy-Source-", "X-Amz-Server-Side-Encryption-",
}

// findSubresource finds the parameter that chooses what the request is about.
func (o *s3Operation) findSubresource() error {
	for name := range o.query {
		switch {
		case slices.Contains(plainParameters, name), isAmz(name):
		case o.subresource != "":
			return errors.New("the request has several sub-resources")
		default:
			o.subresource = name
		}
	}
	return nil
}

// arn returns the ARN of a resource of S3.
func (o *s3Operation) arn(resource string) string {
	return "arn:" + o.r.Partition + ":s3:::" + resource
}

func (o *s3Operation) needs(resource string, actions ...string) []Access {
	var all []Access
	for _, action := range actions {
		action = "s3:" + action
		own := iampolicy.Context{}
		for key, values := range o.context {
			if mayHave(action, strings.ToLower(key)) {
				own[key] = values
			}
		}
		all = append(all, Access{Action: action, Resource: o.arn(resource), Context: own})
	}
	return all
}

func (o *s3Operation) unknown() ([]Access, error) {
	return nil, fmt.Errorf("the gate does not know %s with the sub-resource %.40q", o.r.Method,
		o.subresource)
}

// onService is a request without a bucket. ListAllMyBuckets has no resource; AWS's own policies
// name "*" or arn:aws:s3:::* for it, which both match.
func (o *s3Operation) onService() ([]Access, error) {
	if o.r.Method != http.MethodGet || o.subresource != "" {
		return o.unknown()
	}
	return o.needs("*", "ListAllMyBuckets"), nil
}

// bucketActions are the actions of sub-resources of a bucket for GET, PUT and DELETE.
var bucketActions = map[string][3]string{
	"accelerate": {"GetAccelerateConfiguration", "PutAccelerateConfiguration"},
	"acl":        {"GetBucketAcl", "PutBucketAcl"},
	"analytics": {"GetAnalyticsConfiguration", "PutAnalyticsConfiguration",
		"PutAnalyticsConfiguration"},
	"cors": {"GetBucketCORS", "PutBucketCORS", "PutBucketCORS"},
	"encryption": {"GetEncryptionConfiguration", "PutEncryptionConfiguration",
		"PutEncryptionConfiguration"},
	"intelligent-tiering": {"GetIntelligentTieringConfiguration",
		"PutIntelligentTieringConfiguration", "PutIntelligentTieringConfiguration"},
	"inventory": {"GetInventoryConfiguration", "PutInventoryConfiguration",
		"PutInventoryConfiguration"},
	"lifecycle": {"GetLifecycleConfiguration", "PutLifecycleConfiguration",
		"PutLifecycleConfiguration"},
	"location": {"GetBucketLocation"},
	"logging":  {"GetBucketLogging", "PutBucketLogging"},
	"metrics": {"GetMetricsConfiguration", "PutMetricsConfiguration",
		"PutMetricsConfiguration"},
	"notification": {"GetBucketNotification", "PutBucketNotification"},
	"object-lock":  {"GetBucketObjectLockConfiguration", "PutBucketObjectLockConfiguration"},
	"ownershipControls": {"GetBucketOwnershipControls", "PutBucketOwnershipControls",
		"PutBucketOwnershipControls"},
	"policy":       {"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"},
	"policyStatus": {"GetBucketPolicyStatus"},
	"publicAccessBlock": {"GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock",
		"PutBucketPublicAccessBlock"},
	"replication": {"GetReplicationConfiguration", "PutReplicationConfiguration",
		"PutReplicationConfiguration"},
	"requestPayment": {"GetBucketRequestPayment", "PutBucketRequestPayment"},
	"tagging":        {"GetBucketTagging", "PutBucketTagging", "PutBucketTagging"},
	"uploads":        {"ListBucketMultipartUploads"},
	"versioning":     {"GetBucketVersioning", "PutBucketVersioning"},
	"versions":       {"ListBucketVersions"},
	"website":        {"GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite"},
	"":               {"ListBucket", "CreateBucket", "DeleteBucket"},
}

func (o *s3Operation) onBucket() ([]Access, error) {
	action := ""
	switch actions := bucketActions[o.subresource]; o.r.Method {
	case http.MethodGet:
		action = actions[0]
		// "The s3:max-keys key is always present in the request when you perform the ListBucket
		// operation" (IAM User Guide, Numeric condition operators). The default is 1,000.
		if !o.query.Has("max-keys") {
			o.context["s3:max-keys"] = []string{"1000"}
		}
	case http.MethodHead:
		if o.subresource == "" {
			action = "ListBucket"
		}
	case http.MethodPut:
		action = actions[1]
	case http.MethodDelete:
		action = actions[2]
	case http.MethodPost:
		if o.subresource == "delete" {
			return o.deleteObjects()
		}
	}
	switch action {
	case "":
		return o.unknown()
	case "CreateBucket":
		return o.createBucket()
	}
	return o.needs(o.bucket, action), nil
}

// createBucket needs an action for each thing that it sets (Amazon S3 API Reference, CreateBucket,
// Permissions).
func (o *s3Operation) createBucket() ([]Access, error) {
	actions := []string{"CreateBucket"}
	acl := o.header.Get("X-Amz-Acl")
	grants := false
	for name := range o.header {
		grants = grants || strings.HasPrefix(name, "X-Amz-Grant-")
	}
	if grants || acl != "" && acl != "private" {
		actions = append(actions, "PutBucketAcl")
	}
	if strings.EqualFold(o.header.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true") {
		actions = append(actions, "PutBucketObjectLockConfiguration", "PutBucketVersioning")
	}
	if o.header.Get("X-Amz-Object-Ownership") != "" {
		actions = append(actions, "PutBucketOwnershipControls")
	}
	var body struct {
		LocationConstraint string
		Tags               []struct{ Tag []string }
	}
	if err := o.readBody(&body); err != nil {
		return nil, err
	}
	if len(body.Tags) > 0 {
		return nil, errors.New("the gate does not know tags of a new bucket; leave them out, or " +
			"set Gate.Access")
	}
	if body.LocationConstraint != "" {
		o.context["s3:locationconstraint"] = []string{body.LocationConstraint}
	}
	return o.needs(o.bucket, actions...), nil
}

// deleteObjects needs an action for each key in the body.
func (o *s3Operation) deleteObjects() ([]Access, error) {
	var body struct {
		Object []struct{ Key, VersionId string }
	}
	if err := xml.Unmarshal(o.r.Payload, &body); err != nil || len(body.Object) == 0 {
		return nil, errors.New("the body of DeleteObjects names no keys")
	}
	// An element ETag is like the header If-Match (Amazon S3 API Reference, DeleteObjects). No
	// document says whether it is in s3:if-match.
	delete(o.context, "s3:if-match")
	var all []Access
	for _, object := range body.Object {
		actions := []string{"DeleteObject"}
		if object.VersionId != "" {
			actions = []string{"DeleteObjectVersion"}
			o.context["s3:VersionId"] = []string{object.VersionId}
		}
		if o.bypasses() {
			actions = append(actions, "BypassGovernanceRetention")
		}
		all = append(all, o.needs(o.bucket+"/"+object.Key, actions...)...)
	}
	return all, nil
}

// bypasses reports whether the request is to bypass a retention in governance mode.
func (o *s3Operation) bypasses() bool {
	return strings.EqualFold(o.header.Get("X-Amz-Bypass-Governance-Retention"), "true")
}

// objectActions are the actions of sub-resources of an object for GET, PUT and DELETE. A
// sub-resource with versions has an action of its own for a version.
var objectActions = map[string][3]string{
	"acl":        {"GetObject%Acl", "PutObject%Acl"},
	"tagging":    {"GetObject%Tagging", "PutObject%Tagging", "DeleteObject%Tagging"},
	"retention":  {"GetObjectRetention", "PutObjectRetention"},
	"legal-hold": {"GetObjectLegalHold", "PutObjectLegalHold"},
	"torrent":    {"GetObject%Torrent"},
}

func (o *s3Operation) onObject() ([]Access, error) {
	resource := o.bucket + "/" + o.key
	version := ""
	if o.query.Has("versionId") {
		version = "Version"
	}
	upload := o.query.Has("uploadId")
	actions := objectActions[o.subresource]
	var needed []string
	switch method := o.r.Method; {
	case method == http.MethodPut && o.subresource == "":
		return o.put(resource)
	case method == http.MethodPost:
		return o.post(resource, version)
	case o.subresource == "attributes" && method == http.MethodGet:
		needed = []string{"GetObject%", "GetObject%Attributes"}
	case o.subresource == "" && (method == http.MethodGet || method == http.MethodHead):
		needed = []string{"GetObject%"}
		if upload {
			needed = []string{"ListMultipartUploadParts"}
		}
	case o.subresource == "" && method == http.MethodDelete:
		needed = []string{"DeleteObject%"}
		if upload {
			needed = []string{"AbortMultipartUpload"}
		}
	case method == http.MethodGet:
		needed = []string{actions[0]}
	case method == http.MethodPut:
		needed = []string{actions[1]}
	case method == http.MethodDelete:
		needed = []string{actions[2]}
	}
	if len(needed) == 0 || needed[0] == "" {
		return o.unknown()
	}
	if o.bypasses() {
		needed = append(needed, "BypassGovernanceRetention")
	}
	for i, action := range needed {
		needed[i] = strings.ReplaceAll(action, "%", version)
	}
	return o.needs(resource, needed...), nil
}

// put is PutObject, CopyObject, UploadPart or UploadPartCopy.
func (o *s3Operation) put(resource string) ([]Access, error) {
	o.creates(!o.query.Has("uploadId"))
	all := o.needs(resource, o.writing()...)
	source := o.header.Get("X-Amz-Copy-Source")
	if source == "" {
		return all, nil
	}
	from, err := o.copySource(source)
	if err != nil {
		return nil, err
	}
	return append(from, all...), nil
}

// writing are the actions of making an object with what the headers ask for.
func (o *s3Operation) writing() []string {
	actions := []string{"PutObject"}
	for name := range o.header {
		switch {
		case name == "X-Amz-Tagging":
			actions = append(actions, "PutObjectTagging")
		case name == "X-Amz-Acl" || strings.HasPrefix(name, "X-Amz-Grant-"):
			actions = append(actions, "PutObjectAcl")
		case name == "X-Amz-Object-Lock-Mode" || name == "X-Amz-Object-Lock-Retain-Until-Date":
			actions = append(actions, "PutObjectRetention")
		case name == "X-Amz-Object-Lock-Legal-Hold":
			actions = append(actions, "PutObjectLegalHold")
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// copySource reads X-Amz-Copy-Source: a bucket, a key and maybe a version, URL-encoded.
func (o *s3Operation) copySource(header string) ([]Access, error) {
	path, version, versioned := strings.Cut(header, "?versionId=")
	source, err := url.PathUnescape(path)
	bucket, key, found := strings.Cut(strings.TrimPrefix(source, "/"), "/")
	if err != nil || !found || key == "" || !bucketName.MatchString(bucket) ||
		versioned && version == "" {
		return nil, errors.New("x-amz-copy-source does not name a bucket and a key")
	}
	action := "GetObject"
	if versioned {
		action = "GetObjectVersion"
		o.context["s3:VersionId"] = []string{version}
	}
	return o.needs(bucket+"/"+key, action), nil
}

// post begins or completes a multipart upload, restores an object, or selects from it.
func (o *s3Operation) post(resource, version string) ([]Access, error) {
	switch {
	case o.subresource == "uploads":
		o.creates(false)
		return o.needs(resource, o.writing()...), nil
	case o.subresource == "" && o.query.Has("uploadId"):
		o.creates(true)
		return o.needs(resource, "PutObject"), nil
	case o.subresource == "restore":
		return o.needs(resource, "RestoreObject"), nil
	case o.subresource == "select":
		return o.needs(resource, "GetObject"+version), nil
	}
	return o.unknown()
}
