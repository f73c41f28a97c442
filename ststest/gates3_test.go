package ststest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/ststest"
)

// needs returns what S3Access says that a request needs, as action and resource without the
// beginning of the ARN.
func (g *gated) needs(t *testing.T, r *http.Request) (needed []string, refused string) {
	t.Helper()
	ask := func(r *ststest.SignedRequest) ([]ststest.Access, error) {
		all, err := ststest.S3Access(r)
		for _, a := range all {
			needed = append(needed, strings.TrimPrefix(a.Action, "s3:")+" "+
				strings.TrimPrefix(a.Resource, "arn:aws:s3:::"))
		}
		return all, err
	}
	g.handler = g.server.Gate(http.NotFoundHandler(), ststest.Gate{Access: ask})
	if status, _ := g.serve(r); status == http.StatusNotImplemented {
		refused = g.lastCause() // the answer to HEAD has no body
	}
	return needed, refused
}

// TestS3Access: each operation needs what AWS's page "Required permissions for Amazon S3 API
// operations" says.
func TestS3Access(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	const at = "https://b-1.s3.eu-central-1.amazonaws.com"
	for _, row := range []struct {
		method, url, body string
		header            map[string]string
		want              string // the needs, with commas; empty: refused
	}{
		{"GET", "https://s3.eu-central-1.amazonaws.com/", "", nil, "ListAllMyBuckets *"},
		{"PUT", "https://s3.eu-central-1.amazonaws.com/", "", nil, ""},
		{"GET", "https://s3.eu-central-1.amazonaws.com/?acl", "", nil, ""},
		{"GET", at + "/", "", nil, "ListBucket b-1"},
		{"GET", at + "/?list-type=2&prefix=a&delimiter=/&max-keys=2", "", nil, "ListBucket b-1"},
		{"HEAD", at + "/", "", nil, "ListBucket b-1"},
		{"HEAD", at + "/?acl", "", nil, ""},
		{"PUT", at + "/", "", nil, "CreateBucket b-1"},
		{"DELETE", at + "/", "", nil, "DeleteBucket b-1"},
		{"GET", at + "/?location", "", nil, "GetBucketLocation b-1"},
		{"GET", at + "/?versions&prefix=a", "", nil, "ListBucketVersions b-1"},
		{"GET", at + "/?uploads", "", nil, "ListBucketMultipartUploads b-1"},
		{"GET", at + "/?policy", "", nil, "GetBucketPolicy b-1"},
		{"PUT", at + "/?policy", "{}", nil, "PutBucketPolicy b-1"},
		{"DELETE", at + "/?policy", "", nil, "DeleteBucketPolicy b-1"},
		{"DELETE", at + "/?cors", "", nil, "PutBucketCORS b-1"},
		{"PUT", at + "/?versioning", "", nil, "PutBucketVersioning b-1"},
		{"POST", at + "/?delete", "<Delete><Object><Key>a/b</Key></Object><Object><Key>c</Key>" +
			"<VersionId>1</VersionId></Object></Delete>", nil,
			"DeleteObject b-1/a/b, DeleteObjectVersion b-1/c"},
		{"POST", at + "/?delete", "<Delete/>", nil, ""},
		{"POST", at + "/?delete", "<Delete><Object><Key>a</Key></Object></Delete>",
			map[string]string{"X-Amz-Bypass-Governance-Retention": "true"},
			"DeleteObject b-1/a, BypassGovernanceRetention b-1/a"},
		{"PUT", at + "/", "", map[string]string{"X-Amz-Acl": "private"}, "CreateBucket b-1"},
		{"PUT", at + "/", "", map[string]string{"X-Amz-Acl": "public-read"},
			"CreateBucket b-1, PutBucketAcl b-1"},
		{"PUT", at + "/", "", map[string]string{"X-Amz-Grant-Read": "id=1"},
			"CreateBucket b-1, PutBucketAcl b-1"},
		{"PUT", at + "/", "", map[string]string{"X-Amz-Bucket-Object-Lock-Enabled": "true",
			"X-Amz-Object-Ownership": "ObjectWriter"}, "CreateBucket b-1, " +
			"PutBucketObjectLockConfiguration b-1, PutBucketVersioning b-1, " +
			"PutBucketOwnershipControls b-1"},
		{"PUT", at + "/", "<CreateBucketConfiguration><Tags><Tag><Key>a</Key></Tag></Tags>" +
			"</CreateBucketConfiguration>", nil, ""},
		{"GET", at + "/k", "", map[string]string{"X-Amz-Target": "Logs_20140328.X"}, ""},
		{"GET", "https://s3.amazonaws.com//b-1/secret", "", nil, ""},
		{"GET", "http://localhost:9000//b-1/secret", "", nil, ""},
		{"POST", at + "/", "", nil, ""},
		{"PUT", at + "/?location", "", nil, ""},
		{"GET", at + "/?session", "", nil, ""},
		{"GET", at + "/?acl&policy", "", nil, ""},
		{"GET", at + "/a//b%2Fc", "", nil, "GetObject b-1/a//b/c"},
		{"GET", at + "/%E2%82%AC%20%2B", "", nil, "GetObject b-1/€ +"},
		{"HEAD", at + "/k", "", nil, "GetObject b-1/k"},
		{"GET", at + "/k?versionId=1&response-content-type=a", "", nil, "GetObjectVersion b-1/k"},
		{"GET", at + "/k?partNumber=1", "", nil, "GetObject b-1/k"},
		{"GET", at + "/k?acl", "", nil, "GetObjectAcl b-1/k"},
		{"GET", at + "/k?acl&versionId=1", "", nil, "GetObjectVersionAcl b-1/k"},
		{"GET", at + "/k?attributes", "", nil, "GetObject b-1/k, GetObjectAttributes b-1/k"},
		{"GET", at + "/k?uploadId=1", "", nil, "ListMultipartUploadParts b-1/k"},
		{"GET", at + "/k?tagging", "", nil, "GetObjectTagging b-1/k"},
		{"PUT", at + "/k?tagging", "", nil, "PutObjectTagging b-1/k"},
		{"DELETE", at + "/k?tagging&versionId=1", "", nil, "DeleteObjectVersionTagging b-1/k"},
		{"PUT", at + "/k?legal-hold", "", nil, "PutObjectLegalHold b-1/k"},
		{"GET", at + "/k?unknown", "", nil, ""},
		{"PUT", at + "/k?torrent", "", nil, ""},
		{"PATCH", at + "/k", "", nil, ""},
		{"DELETE", at + "/k", "", nil, "DeleteObject b-1/k"},
		{"DELETE", at + "/k?versionId=1", "", nil, "DeleteObjectVersion b-1/k"},
		{"DELETE", at + "/k?versionId=1", "", map[string]string{
			"X-Amz-Bypass-Governance-Retention": "true",
		}, "DeleteObjectVersion b-1/k, BypassGovernanceRetention b-1/k"},
		{"DELETE", at + "/k?uploadId=1", "", nil, "AbortMultipartUpload b-1/k"},
		{"PUT", at + "/k", "x", nil, "PutObject b-1/k"},
		{"PUT", at + "/k?partNumber=1&uploadId=1", "x", nil, "PutObject b-1/k"},
		{"PUT", at + "/k", "x", map[string]string{
			"X-Amz-Acl": "private", "X-Amz-Grant-Read": "id=1", "X-Amz-Tagging": "a=b",
			"X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Legal-Hold": "ON",
		}, "PutObject b-1/k, PutObjectAcl b-1/k, PutObjectLegalHold b-1/k, " +
			"PutObjectRetention b-1/k, PutObjectTagging b-1/k"},
		{"PUT", at + "/k", "", map[string]string{"X-Amz-Copy-Source": "/other/bob/a%20b"},
			"GetObject other/bob/a b, PutObject b-1/k"},
		{"PUT", at + "/k?partNumber=1&uploadId=1", "", map[string]string{
			"X-Amz-Copy-Source": "other/bob/k?versionId=7",
		}, "GetObjectVersion other/bob/k, PutObject b-1/k"},
		{"PUT", at + "/k", "", map[string]string{"X-Amz-Copy-Source": "other"}, ""},
		{"PUT", at + "/k", "", map[string]string{"X-Amz-Copy-Source": "other/"}, ""},
		{"PUT", at + "/k", "", map[string]string{"X-Amz-Copy-Source": "other/k?versionId="}, ""},
		{"PUT", at + "/k", "x", map[string]string{
			"X-Amz-Object-Lock-Retain-Until-Date": "2026-12-09T12:00:00Z",
		}, "PutObject b-1/k, PutObjectRetention b-1/k"},
		{"PUT", at + "/k", "", map[string]string{"X-Amz-Copy-Source": "other/%zz"}, ""},
		{"PUT", at + "/k", "", map[string]string{
			"X-Amz-Copy-Source": "arn:aws:s3:us-east-1:1:accesspoint/x/object/k",
		}, ""},
		{"POST", at + "/k?uploads", "", map[string]string{"X-Amz-Tagging": "a=b"},
			"PutObject b-1/k, PutObjectTagging b-1/k"},
		{"POST", at + "/k?uploadId=1", "<x/>", nil, "PutObject b-1/k"},
		{"POST", at + "/k?restore", "", nil, "RestoreObject b-1/k"},
		{"POST", at + "/k?select&select-type=2", "", nil, "GetObject b-1/k"},
		{"POST", at + "/k", "", nil, ""},

		// Where the bucket is.
		{"GET", "https://s3.amazonaws.com/b-1/k", "", nil, "GetObject b-1/k"},
		{"GET", "https://b-1.s3.amazonaws.com/k", "", nil, "GetObject b-1/k"},
		{"GET", "https://b-1.s3-eu-west-1.amazonaws.com/k", "", nil, "GetObject b-1/k"},
		{"GET", "https://b.1.s3.dualstack.eu-west-1.amazonaws.com/k", "", nil, "GetObject b.1/k"},
		{"GET", "https://b-1.s3-fips.dualstack.us-gov-west-1.amazonaws.com/k", "", nil,
			"GetObject b-1/k"},
		{"GET", "https://b-1.s3-accelerate.amazonaws.com/k", "", nil, "GetObject b-1/k"},
		{"GET", "https://b-1.s3.cn-north-1.amazonaws.com.cn:443/k", "", nil, "GetObject b-1/k"},
		{"GET", "http://b-1.localhost:9000/k", "", nil, "GetObject b-1/k"},
		{"GET", "http://localhost:9000/b-1/k", "", nil, "GetObject b-1/k"},
		{"GET", "http://[::1]:9000/b-1/", "", nil, "ListBucket b-1"},
		{"GET", "http://127.0.0.1:9000/b-1", "", nil, "ListBucket b-1"},
		{"GET", "http://127.0.0.1:9000/b-1%2Fx/k", "", nil, "GetObject b-1/x/k"},
		{"GET", "http://127.0.0.1:9000/a%2Ab/k", "", nil, ""},
	} {
		r := g.request(t, row.method, row.url, row.body, "s3")
		for name, value := range row.header {
			r.Header.Set(name, value)
		}
		g.sign(t, r, r.Header.Get("X-Amz-Content-Sha256"), "s3")
		needed, refused := g.needs(t, r)
		got := strings.Join(needed, ", ")
		if got != row.want || (refused != "") != (row.want == "") {
			t.Errorf("%s %s %v: needs %q, want %q; refused %q", row.method, row.url, row.header,
				got, row.want, refused)
		}
	}
}

// TestS3Access_Keys: the condition keys of a request.
func TestS3Access_Keys(t *testing.T) {
	const at = "https://b-1.s3.eu-central-1.amazonaws.com"
	retained := map[string]string{"X-Amz-Object-Lock-Retain-Until-Date": "2026-12-09T11:59:59Z"}
	for _, row := range []struct {
		method, url string
		header      map[string]string
		key         string
		want        []string
	}{
		{"GET", at + "/", nil, "s3:max-keys", []string{"1000"}},
		{"GET", at + "/?max-keys=5", nil, "s3:max-keys", []string{"5"}},
		{"GET", at + "/k", nil, "s3:max-keys", nil},
		{"GET", at + "/", nil, "s3:prefix", nil},
		{"GET", at + "/?prefix=", nil, "s3:prefix", []string{""}},
		{"GET", at + "/?prefix=a%2Fb&delimiter=%2F", nil, "s3:prefix", []string{"a/b"}},
		{"GET", at + "/?prefix=a%2Fb&delimiter=%2F", nil, "s3:delimiter", []string{"/"}},
		{"GET", at + "/k?versionId=7", nil, "s3:VersionId", []string{"7"}},
		{"GET", at + "/k", nil, "s3:authType", []string{"REST-HEADER"}},
		{"GET", at + "/k", nil, "s3:signatureversion", []string{"AWS4-HMAC-SHA256"}},
		{"PUT", at + "/k", map[string]string{"X-Amz-Acl": "private"}, "s3:x-amz-acl",
			[]string{"private"}},
		{"PUT", at + "/k", map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms"},
			"s3:x-amz-server-side-encryption", []string{"aws:kms"}},
		{"PUT", at + "/k", map[string]string{"X-Amz-Tagging": "team=red&unit=a%20b"},
			"s3:RequestObjectTag/unit", []string{"a b"}},
		{"PUT", at + "/k", map[string]string{"X-Amz-Tagging": "team=red&unit=a%20b"},
			"s3:RequestObjectTagKeys", []string{"team", "unit"}},
		{"GET", at + "/", nil, "s3:TlsVersion", []string{"1.2"}},
		{"HEAD", at + "/?prefix=a", nil, "s3:prefix", nil},
		{"PUT", at + "/k", map[string]string{"If-None-Match": "*"}, "s3:if-none-match",
			[]string{"*"}},
		{"PUT", at + "/k", map[string]string{"If-Match": "x"}, "s3:if-match", []string{"x"}},
		{"DELETE", at + "/k", map[string]string{"If-Match": "x"}, "s3:if-match", []string{"x"}},
		{"PUT", at + "/k", nil, "s3:ObjectCreationOperation", []string{"true"}},
		{"POST", at + "/k?uploadId=1", nil, "s3:ObjectCreationOperation", []string{"true"}},
		{"POST", at + "/k?uploads", nil, "s3:ObjectCreationOperation", []string{"false"}},
		{"PUT", at + "/k?uploadId=1&partNumber=1", nil, "s3:ObjectCreationOperation",
			[]string{"false"}},
		{"PUT", at + "/k", map[string]string{"X-Amz-Object-Lock-Mode": "GOVERNANCE"},
			"s3:object-lock-mode", []string{"GOVERNANCE"}},
		{"PUT", at + "/k", map[string]string{"X-Amz-Object-Lock-Legal-Hold": "ON"},
			"s3:object-lock-legal-hold", []string{"ON"}},
		{"PUT", at + "/k", retained, "s3:object-lock-retain-until-date",
			[]string{"2026-12-09T11:59:59Z"}},
		{"PUT", at + "/k", retained, "s3:object-lock-remaining-retention-days", []string{"10"}},
	} {
		var got []string
		g := newGated(t, ststest.Role{}, ststest.Gate{
			Access: func(r *ststest.SignedRequest) ([]ststest.Access, error) {
				all, err := ststest.S3Access(r)
				for key, values := range all[0].Context {
					if strings.EqualFold(key, row.key) {
						got = values
					}
				}
				return all, err
			},
		})
		r := g.request(t, row.method, row.url, "", "s3")
		for name, value := range row.header {
			r.Header.Set(name, value)
		}
		g.sign(t, r, r.Header.Get("X-Amz-Content-Sha256"), "s3")
		if status, body := g.serve(r); status != 403 || !slices.Equal(got, row.want) {
			t.Errorf("%s %s: %s is %q, want %q: %s", row.method, row.url, row.key, got, row.want,
				body)
		}
	}
}

// TestS3Access_BodyKeys: the condition keys of what S3 reads in bodies.
func TestS3Access_BodyKeys(t *testing.T) {
	const at = "https://b-1.s3.eu-central-1.amazonaws.com"
	const retention = "<Retention><Mode>COMPLIANCE</Mode>" +
		"<RetainUntilDate>2026-12-01T12:00:00Z</RetainUntilDate></Retention>"
	const deletion = "<Delete><Object><Key>a</Key></Object>" +
		"<Object><Key>b</Key><VersionId>7</VersionId></Object></Delete>"
	for _, row := range []struct {
		method, url, body string
		key               string
		want              string // the values for each action
	}{
		{"PUT", at + "/k?retention", retention, "s3:object-lock-mode", "[COMPLIANCE]"},
		{"PUT", at + "/k?retention", retention, "s3:object-lock-remaining-retention-days", "[2]"},
		{"PUT", at + "/k?legal-hold", "<LegalHold><Status>ON</Status></LegalHold>",
			"s3:object-lock-legal-hold", "[ON]"},
		{"PUT", at + "/k?tagging", "<Tagging><TagSet><Tag><Key>team</Key><Value>red</Value></Tag>" +
			"</TagSet></Tagging>", "s3:RequestObjectTag/team", "[red]"},
		{"PUT", at + "/", "<CreateBucketConfiguration><LocationConstraint>EU" +
			"</LocationConstraint></CreateBucketConfiguration>", "s3:locationconstraint", "[EU]"},
		{"POST", at + "/?delete", deletion, "s3:VersionId", "[] [7]"},
	} {
		var got []string
		g := newGated(t, ststest.Role{}, ststest.Gate{
			Access: func(r *ststest.SignedRequest) ([]ststest.Access, error) {
				all, err := ststest.S3Access(r)
				for _, a := range all {
					got = append(got, fmt.Sprint(a.Context[row.key]))
				}
				return all, err
			},
		})
		g.serve(g.request(t, row.method, row.url, row.body, "s3"))
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s %s: %s is %q, want %s: %s", row.method, row.url, row.key, got, row.want,
				g.lastCause())
		}
	}
}

// TestGate_KeysOfOthers: a parameter or header is no condition key of an action that does not have
// the key.
func TestGate_KeysOfOthers(t *testing.T) {
	const at = "https://b-1.s3.eu-central-1.amazonaws.com"
	for _, row := range []struct {
		condition, method, url string
		header                 map[string]string
		want                   string
	}{
		{`"StringLike": {"s3:prefix": "alice/*"}`, "GET", "/?prefix=alice/a", nil, "200"},
		{`"StringLike": {"s3:prefix": "alice/*"}`, "GET", "/bob/secret?prefix=alice/", nil,
			"403 AccessDenied"},
		{`"StringLike": {"s3:prefix": "alice/*"}`, "DELETE", "/bob/secret?prefix=alice/", nil,
			"403 AccessDenied"},
		{`"StringLike": {"s3:prefix": "alice/*"}`, "GET", "/?uploads&prefix=alice/", nil,
			"403 AccessDenied"},
		{`"StringEquals": {"s3:delimiter": "/"}`, "GET", "/?location&delimiter=/", nil,
			"403 AccessDenied"},
		{`"StringEquals": {"s3:x-amz-acl": "private"}`, "GET", "/bob/secret",
			map[string]string{"X-Amz-Acl": "private"}, "403 AccessDenied"},
		{`"StringEquals": {"s3:x-amz-acl": "private"}`, "PUT", "/bob/secret",
			map[string]string{"X-Amz-Acl": "private"}, "200"},
		{`"Null": {"s3:VersionId": "false"}`, "PUT", "/k?versionId=1", nil, "403 AccessDenied"},
		{`"StringEquals": {"s3:RequestObjectTag/a": "b"}`, "GET", "/k",
			map[string]string{"X-Amz-Tagging": "a=b"}, "403 AccessDenied"},
		// PutObjectTagging reads the tags in the body.
		{`"StringEquals": {"s3:RequestObjectTag/a": "b"}`, "PUT", "/k?tagging",
			map[string]string{"X-Amz-Tagging": "a=b"}, "403 AccessDenied"},
		// The source of a copy has not the keys of the copy.
		{`"StringEquals": {"s3:x-amz-metadata-directive": "COPY"}`, "PUT", "/k",
			map[string]string{"X-Amz-Copy-Source": "b-1/bob",
				"X-Amz-Metadata-Directive": "COPY"}, "403 AccessDenied"},
	} {
		policy := `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
			"Resource": "*", "Condition": {` + row.condition + `}}}`
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{})
		r := g.request(t, row.method, at+row.url, "", "s3")
		for name, value := range row.header {
			r.Header.Set(name, value)
		}
		g.sign(t, r, r.Header.Get("X-Amz-Content-Sha256"), "s3")
		if got := g.answer(r); got != row.want {
			t.Errorf("%s: %s %s %v: got %s, want %s: %s", row.condition, row.method, row.url,
				row.header, got, row.want, g.lastCause())
		}
	}
}

// TestS3Access_PresignedKeys: the condition keys of headers that are in the query.
func TestS3Access_PresignedKeys(t *testing.T) {
	var got iampolicy.Context
	g := newGated(t, ststest.Role{}, ststest.Gate{
		Access: func(r *ststest.SignedRequest) ([]ststest.Access, error) {
			all, err := ststest.S3Access(r)
			got = all[0].Context
			return all, err
		},
	})
	const query = "?x-amz-acl=private&x-amz-grant-read=id%3D1&x-amz-storage-class=GLACIER&" +
		"x-amz-server-side-encryption=aws%3Akms&x-amz-tagging=team%3Dred%26unit%3Da&" +
		"X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
	g.serve(g.presignedAs(t, "PUT", catURL+query, "900", nil))
	for key, want := range map[string][]string{
		"s3:x-amz-acl":                    {"private"},
		"s3:x-amz-grant-read":             {"id=1"},
		"s3:x-amz-storage-class":          {"GLACIER"},
		"s3:x-amz-server-side-encryption": {"aws:kms"},
		"s3:RequestObjectTag/team":        {"red"},
		"s3:RequestObjectTagKeys":         {"team", "unit"},
		"s3:x-amz-content-sha256":         nil,
		"s3:authType":                     {"REST-QUERY-STRING"},
	} {
		if !slices.Equal(got[key], want) {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
}

// TestS3Access_Presigned: a parameter of a presigned URL needs what the header of that name does,
// and what the presigners of SDKs write is known.
func TestS3Access_Presigned(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	const at = "https://b-1.s3.eu-central-1.amazonaws.com/k"
	for _, row := range []struct {
		method, query string
		header        map[string]string
		want          string // the needs, with commas; empty: refused
		refused       string // a part of the refusal
	}{
		{"PUT", "", nil, "PutObject b-1/k", ""},
		{"PUT", "x-amz-acl=public-read", nil, "PutObject b-1/k, PutObjectAcl b-1/k", ""},
		{"PUT", "X-Amz-Acl=public-read", nil, "PutObject b-1/k, PutObjectAcl b-1/k", ""},
		{"PUT", "x-amz-acl=", nil, "PutObject b-1/k, PutObjectAcl b-1/k", ""},
		{"PUT", "x-amz-grant-read=id%3D1", nil, "PutObject b-1/k, PutObjectAcl b-1/k", ""},
		{"PUT", "", map[string]string{"X-Amz-Grant-Full-Control": "id=1"},
			"PutObject b-1/k, PutObjectAcl b-1/k", ""}, // the SDK for Go moves it
		{"PUT", "x-amz-tagging=a%3Db", nil, "PutObject b-1/k, PutObjectTagging b-1/k", ""},
		{"PUT", "x-amz-object-lock-mode=GOVERNANCE&x-amz-object-lock-legal-hold=ON", nil,
			"PutObject b-1/k, PutObjectLegalHold b-1/k, PutObjectRetention b-1/k", ""},
		{"PUT", "x-amz-copy-source=other%2Fbob%2Fk", nil, "GetObject other/bob/k, PutObject b-1/k",
			""},
		{"POST", "uploads&x-amz-acl=private", nil, "PutObject b-1/k, PutObjectAcl b-1/k", ""},
		{"DELETE", "x-amz-bypass-governance-retention=true", nil,
			"DeleteObject b-1/k, BypassGovernanceRetention b-1/k", ""},

		// As in URLs of the SDKs for JavaScript and Go.
		{"PUT", "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&x-amz-checksum-crc32=AAAAAA%3D%3D&" +
			"x-amz-sdk-checksum-algorithm=CRC32&x-id=PutObject&x-amz-user-agent=x&" +
			"x-amz-meta-who=jane&x-amz-storage-class=STANDARD_IA&" +
			"x-amz-server-side-encryption=aws%3Akms", nil, "PutObject b-1/k", ""},
		{"GET", "x-id=GetObject&x-amz-checksum-mode=ENABLED", nil, "GetObject b-1/k", ""},
		{"GET", "", map[string]string{
			"X-Amz-Request-Payer": "requester", "X-Amz-Expected-Bucket-Owner": "123456789012",
			"X-Amz-Checksum-Mode": "ENABLED",
		}, "GetObject b-1/k", ""},
		{"PUT", "x-amz-acl=private", map[string]string{"X-Amz-Acl": "private"},
			"PutObject b-1/k, PutObjectAcl b-1/k", ""},

		{"PUT", "x-amz-acl=private", map[string]string{"X-Amz-Acl": "public-read"}, "",
			"several values"},
		{"PUT", "x-amz-acl=private&x-amz-acl=public-read", nil, "", "several values"},
		{"PUT", "x-amz-acl=private&X-Amz-Acl=public-read", nil, "", "several values"},
		{"PUT", "x-amz-unknown=1", nil, "", "does not know the parameter"},
		{"PUT", "x-amz-date=20261129T120000Z", nil, "", "does not know the parameter"},
	} {
		r := g.presignedAs(t, row.method, at+"?"+row.query, "900", row.header)
		needed, refused := g.needs(t, r)
		got := strings.Join(needed, ", ")
		if got != row.want || (refused != "") != (row.want == "") ||
			!strings.Contains(refused, row.refused) {
			t.Errorf("%s %s %v: needs %q, want %q; refused %q: %s", row.method, row.query,
				row.header, got, row.want, refused, g.lastCause())
		}
	}
	// In other requests S3 may not read it.
	needed, refused := g.needs(t, g.request(t, "PUT", at+"?x-amz-acl=private", "", "s3"))
	if needed != nil || !strings.Contains(refused, "is not presigned") {
		t.Errorf("not presigned: needs %q, refused %q", needed, refused)
	}
}

// TestGate_PresignedACL: an ACL is an ACL in the query of a presigned URL and in a header.
func TestGate_PresignedACL(t *testing.T) {
	const onlyPut = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Action": "s3:PutObject", "Resource": "*"}}`
	const notPublic = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
		{"Effect": "Deny", "Action": "s3:*", "Resource": "*",
		 "Condition": {"StringEquals": {"s3:x-amz-acl": "public-read"}}}]}`
	for policy, want := range map[string]map[string]string{
		onlyPut:   {"": "200", "private": "403 AccessDenied", "public-read": "403 AccessDenied"},
		notPublic: {"": "200", "private": "200", "public-read": "403 AccessDenied"},
	} {
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{})
		for acl, want := range want {
			query := ""
			header := map[string]string{}
			if acl != "" {
				query = "?x-amz-acl=" + acl
				header["X-Amz-Acl"] = acl
			}
			byQuery := g.answer(g.presignedAs(t, "PUT", catURL+query, "900", nil))
			byHeader := g.answer(g.presignedAs(t, "PUT", catURL, "900", header))
			if byQuery != want || byHeader != want {
				t.Errorf("%s, %q: got %s by query and %s by header, want %s: %s", policy, acl,
					byQuery, byHeader, want, g.lastCause())
			}
		}
	}
}

// TestGate_Copy: nobody copies out of another's folder.
func TestGate_Copy(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{folderPolicy}}, ststest.Gate{})
	for source, want := range map[string]string{
		"example-photos/SamlExample/a": "200",
		"example-photos/Other/a":       "403 AccessDenied",
	} {
		r := g.request(t, "PUT", "https://example-photos.s3.amazonaws.com/SamlExample/b", "", "s3")
		r.Header.Set("X-Amz-Copy-Source", source)
		g.sign(t, r, r.Header.Get("X-Amz-Content-Sha256"), "s3")
		if got := g.answer(r); got != want {
			t.Errorf("%s: got %s, want %s: %s", source, got, want, g.lastCause())
		}
	}
}

// TestJSONAccess: the action and the resource of services with X-Amz-Target, and their refusal.
func TestJSONAccess(t *testing.T) {
	const here = "eu-central-1:123456789012"
	for _, row := range []struct {
		service, target, body string
		want                  string
	}{
		{"dynamodb", "DynamoDB_20120810.GetItem", `{"TableName": "t"}`,
			"dynamodb:GetItem arn:aws:dynamodb:" + here + ":table/t"},
		{"dynamodb", "DynamoDB_20120810.Query", `{"TableName": "t", "IndexName": "i"}`,
			"dynamodb:Query arn:aws:dynamodb:" + here + ":table/t/index/i"},
		{"dynamodb", "DynamoDB_20120810.GetItem",
			`{"TableName": "arn:aws:dynamodb:us-east-1:999999999999:table/t"}`,
			"dynamodb:GetItem arn:aws:dynamodb:us-east-1:999999999999:table/t"},
		{"dynamodb", "DynamoDB_20120810.ListTables", `{}`, "dynamodb:ListTables *"},
		{"dynamodb", "DynamoDB_20120810.BatchGetItem", `{"RequestItems": {}}`, ""},
		{"dynamodb", "DynamoDB_20120810.ExecuteStatement", `{"TableName": "t"}`, ""},
		{"dynamodb", "DynamoDB_20120810.GetItem", `{"TableName": "t", "IndexName": "i"}`,
			"dynamodb:GetItem arn:aws:dynamodb:" + here + ":table/t"},
		{"dynamodb", "DynamoDB_20120810.GetItem", `{"TableName": "arn:aws:sqs:x:1:table/t"}`, ""},
		{"secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId": "s"}`,
			"secretsmanager:GetSecretValue arn:aws:secretsmanager:" + here + ":secret:s-AbCdEf"},
		{"secretsmanager", "secretsmanager.ListSecrets", `{}`, "secretsmanager:ListSecrets *"},
		{"secretsmanager", "secretsmanager.CreateSecret", `{"Name": "s"}`, ""},
		{"kms", "TrentService.Decrypt", `{"KeyId": "k"}`,
			"kms:Decrypt arn:aws:kms:" + here + ":key/k"},
		{"kms", "TrentService.Decrypt", `{"KeyId": "alias/k"}`, ""},
		{"kms", "TrentService.Decrypt", `{"KeyId": "arn:aws:kms:` + here + `:alias/k"}`, ""},
		{"kms", "TrentService.Decrypt", `{"KeyId": "arn:aws:sqs:` + here + `:key/k"}`, ""},
		{"kms", "TrentService.ListKeys", `{}`, "kms:ListKeys *"},
		{"sqs", "AmazonSQS.SendMessage", `{"QueueUrl": "https://sqs.x/123456789012/q"}`,
			"sqs:SendMessage arn:aws:sqs:" + here + ":q"},
		{"sqs", "AmazonSQS.CreateQueue", `{"QueueName": "q"}`,
			"sqs:CreateQueue arn:aws:sqs:" + here + ":q"},
		{"sqs", "AmazonSQS.DeleteMessageBatch", `{"QueueUrl": "https://sqs.x/123456789012/q"}`,
			"sqs:DeleteMessage arn:aws:sqs:" + here + ":q"},
		{"sqs", "AmazonSQS.SendMessage", `{"QueueUrl": "q"}`, ""},
		{"sqs", "AmazonSQS.SendMessage", `{"QueueUrl": "https://sqs.x/z/q"}`, ""},
		{"sqs", "AmazonSQS.SendMessage", `{"QueueUrl": "123456789012/q"}`, ""},
		{"sqs", "AmazonSQS.SendMessage", `{"QueueName": "q"}`, ""},
		{"sqs", "AmazonSQS.StartMessageMoveTask", `{"QueueUrl": "https://sqs.x/123456789012/q"}`,
			""},
		{"sqs", "AmazonSQS.GetQueueUrl", `{"QueueName": "q"}`,
			"sqs:GetQueueUrl arn:aws:sqs:" + here + ":q"},
		{"sqs", "AmazonSQS.GetQueueUrl",
			`{"QueueName": "q", "QueueOwnerAWSAccountId": "999999999999"}`,
			"sqs:GetQueueUrl arn:aws:sqs:eu-central-1:999999999999:q"},
		{"events", "AWSEvents.PutEvents", `{"Entries": [{"Source": "s"}, {"EventBusName": "b"}]}`,
			"events:PutEvents arn:aws:events:" + here + ":event-bus/default " +
				"events:PutEvents arn:aws:events:" + here + ":event-bus/b"},
		{"events", "AWSEvents.PutRule", `{"Name": "r"}`, ""},
		{"logs", "Logs_20140328.PutLogEvents", `{"logGroupName": "g"}`, ""},
		{"kms", "TrentService.", `{"KeyId": "k"}`, ""},
		{"kms", "TrentService.a.Decrypt", `{"KeyId": "k"}`, ""},
		{"kms", "Decrypt", `{"KeyId": "k"}`, ""},
		{"kms", "Other.Decrypt", `{"KeyId": "k"}`, ""},
		{"kms", "TrentService.ReEncrypt", `{"KeyId": "k"}`, ""},
		{"secretsmanager", "secretsmanager.BatchGetSecretValue", `{"SecretId": "s"}`, ""},
		{"kms", "TrentService.Decrypt", `[]`, ""},
		{"kms", "TrentService.Decrypt", ``, ""},
	} {
		var needed []string
		g := newGated(t, ststest.Role{}, ststest.Gate{
			Access: func(r *ststest.SignedRequest) ([]ststest.Access, error) {
				all, err := ststest.JSONAccess(r)
				for _, a := range all {
					needed = append(needed, a.Action+" "+a.Resource)
				}
				return all, err
			},
		})
		url := "https://" + row.service + ".eu-central-1.amazonaws.com/"
		r := g.request(t, "POST", url, row.body, row.service)
		r.Header.Set("X-Amz-Target", row.target)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		g.sign(t, r, r.Header.Get("X-Amz-Content-Sha256"), row.service)
		status, body := g.serve(r)
		refusal := "AccessDeniedException"
		code := 400
		if row.want == "" {
			refusal = "UnknownOperationException"
			code = 501
		}
		if got := strings.Join(needed, " "); got != row.want || status != code ||
			!strings.Contains(body, `"com.amazon.coral.service#`+refusal+`"`) {
			t.Errorf("%s %s: needs %q, want %q; %d %s", row.target, row.body, got, row.want, status,
				body)
		}
	}
}

// TestGate_Protocols: a refusal is in the protocol of the request.
func TestGate_Protocols(t *testing.T) {
	ask := func(*ststest.SignedRequest) ([]ststest.Access, error) {
		return []ststest.Access{{Action: "bedrock:InvokeModel", Resource: "*"}}, nil
	}
	g := newGated(t, ststest.Role{}, ststest.Gate{Access: ask})
	for contentType, want := range map[string]string{
		"application/json": `"__type":"com.amazon.coral.service#AccessDeniedException"`,
		"application/x-www-form-urlencoded": "<ErrorResponse><Error><Type>Sender</Type>" +
			"<Code>AccessDenied</Code>",
	} {
		const url = "https://bedrock.eu-central-1.amazonaws.com/model/x"
		r := g.request(t, "POST", url, "x", "bedrock")
		r.Header.Set("Content-Type", contentType)
		g.sign(t, r, r.Header.Get("X-Amz-Content-Sha256"), "bedrock")
		status, body := g.serve(r)
		if status != 403 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %s", contentType, status, body)
		}
	}
}

// TestGate_HEAD: a refusal of HEAD has no body.
func TestGate_HEAD(t *testing.T) {
	g := newGated(t, ststest.Role{}, ststest.Gate{})
	status, body := g.serve(g.request(t, "HEAD", catURL, "", "s3"))
	if status != 403 || body != "" {
		t.Errorf("got %d %q", status, body)
	}
}

// TestGate_Policies: the policies of role, session, resource and boundary count, as they are when
// the request comes.
func TestGate_Policies(t *testing.T) {
	get := func(g *gated) string { return g.answer(g.request(t, "GET", catURL, "", "s3")) }
	const onlyPut = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Action": "s3:PutObject", "Resource": "*"}}`
	t.Run("boundary", func(t *testing.T) {
		role := ststest.Role{Policies: []string{allowAll}, Boundary: onlyPut}
		g := newGated(t, role, ststest.Gate{})
		if got := get(g); got != "403 AccessDenied" ||
			g.lastCause() != "denied: no boundary policy allows it" {
			t.Errorf("got %s: %s", got, g.lastCause())
		}
	})
	t.Run("changed role", func(t *testing.T) {
		g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
		if got := get(g); got != "200" {
			t.Errorf("got %s", got)
		}
		// As "AWSRevokeOlderSessions" does: sessions that were issued before lose everything.
		revoke := `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*",
			"Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": "%s"}}}}`
		for instant, want := range map[string]string{
			"2026-11-29T12:00:00Z": "200", "2026-11-29T12:00:01Z": "403 AccessDenied",
		} {
			mustRole(t, g.server, ststest.Role{ARN: roleARN, TrustPolicy: trustAll,
				Policies: []string{allowAll, fmt.Sprintf(revoke, instant)}})
			if got := get(g); got != want {
				t.Errorf("%s: got %s, want %s", instant, got, want)
			}
		}
	})
	t.Run("resource", func(t *testing.T) {
		granted, err := iampolicy.Parse(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
			"Principal": {"AWS": "` + roleARN + `"}, "Action": "s3:GetObject", "Resource": "*"}}`)
		if err != nil {
			t.Fatal(err)
		}
		var asked string
		g := newGated(t, ststest.Role{}, ststest.Gate{
			ResourcePolicies: func(resource string) []*iampolicy.Policy {
				asked = resource
				return []*iampolicy.Policy{granted}
			},
		})
		if got := get(g); got != "200" || asked != "arn:aws:s3:::example-photos/cat.jpg" {
			t.Errorf("got %s for %s", got, asked)
		}
	})
	t.Run("public", func(t *testing.T) {
		public, err := iampolicy.Parse(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
			"Principal": "*", "Action": "s3:GetObject", "Resource": "*"}}`)
		if err != nil {
			t.Fatal(err)
		}
		g := newGated(t, ststest.Role{}, ststest.Gate{
			ResourcePolicies: func(string) []*iampolicy.Policy {
				return []*iampolicy.Policy{public}
			},
		})
		r := g.request(t, "GET", catURL, "", "s3")
		for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
			r.Header.Del(name)
		}
		if got := g.answer(r); got != "200" {
			t.Errorf("got %s: %s", got, g.lastCause())
		}
	})
	t.Run("forgotten role", func(t *testing.T) {
		g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
		if err := g.server.PutRole(ststest.Role{ARN: roleARN, TrustPolicy: trustAll,
			Policies: []string{`{"Statement": 7}`}}); err == nil ||
			!strings.Contains(err.Error(), "policy 1: iampolicy: statement 1: not a JSON object") {
			t.Errorf("got %v", err)
		}
		if err := g.server.PutRole(ststest.Role{ARN: roleARN, TrustPolicy: trustAll,
			Boundary: trustAll}); err == nil ||
			!strings.Contains(err.Error(), "boundary: policy 1: it has a Principal") {
			t.Errorf("got %v", err)
		}
		if got := get(g); got != "200" {
			t.Errorf("the failed calls changed the role: %s", got)
		}
	})
}

// TestGate_SessionPolicies: the policies of AssumeRoleWithSAML limit the session.
func TestGate_SessionPolicies(t *testing.T) {
	const managed = "arn:aws:iam::123456789012:policy/readers"
	const onlyGet = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Action": "s3:GetObject", "Resource": "*"}}`
	for _, row := range []struct {
		name     string
		form     map[string]string
		get, put string
	}{
		{"none", nil, "200", "200"},
		{"inline", map[string]string{"Policy": onlyGet}, "200", "403 AccessDenied"},
		{"managed", map[string]string{"PolicyArns.member.1.arn": managed}, "200",
			"403 AccessDenied"},
		{"missing", map[string]string{"PolicyArns.member.1.arn": managed + "x"},
			"403 AccessDenied", "403 AccessDenied"},
		{"one of a resource", map[string]string{"Policy": strings.Replace(onlyGet, `"Effect"`,
			`"Principal": "*", "Effect"`, 1)}, "403 AccessDenied", "403 AccessDenied"},
		{"malformed", map[string]string{"Policy": `{"Statement": 7}`},
			"403 AccessDenied", "403 AccessDenied"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
			if err := g.server.PutPolicy(managed, onlyGet); err != nil {
				t.Fatal(err)
			}
			g.credentials = assumeWith(t, g.server, g.clock, row.form)
			get := g.answer(g.request(t, "GET", catURL, "", "s3"))
			put := g.answer(g.request(t, "PUT", catURL, "", "s3"))
			if get != row.get || put != row.put {
				t.Errorf("got %s and %s: %s", get, put, g.lastCause())
			}
		})
	}
	s := newServer(t, ststest.Config{})
	for arn, document := range map[string]string{
		"readers": onlyGet, managed: "{}", managed + "y": trustAll,
	} {
		if err := s.PutPolicy(arn, document); err == nil {
			t.Errorf("PutPolicy takes %s %s", arn, document)
		}
	}
}

// TestGate_Context: every key that the gate sets, and none of those that it says it never sets.
func TestGate_Context(t *testing.T) {
	for condition, want := range map[string]string{
		`{"StringEquals": {"saml:sub": "SamlExample", "saml:sub_type": "persistent",
			"saml:namequalifier": "1uAJanUnBc2XeUkHURMht+xam2c=",
			"aws:PrincipalArn": "` + roleARN + `", "aws:PrincipalAccount": "123456789012",
			"aws:PrincipalType": "AssumedRole", "aws:ResourceAccount": "123456789012",
			"s3:ResourceAccount": "123456789012",
			"aws:FederatedProvider": "` + providerARN + `", "aws:RequestedRegion": "eu-central-1",
			"aws:UserAgent": "tests", "aws:Referer": "https://example.com/"}}`: "200",
		`{"StringLike": {"aws:userid": "AROA*:jane@example.com"}}`: "200",
		`{"DateEquals": {"aws:TokenIssueTime": "2026-11-29T12:00:00Z",
			"aws:CurrentTime": "2026-11-29T12:00:00Z", "aws:EpochTime": "1795953600"}}`: "200",
		`{"IpAddress": {"aws:SourceIp": "192.0.2.1"}}`: "200",
		`{"Bool": {"aws:SecureTransport": "true", "aws:ViaAWSService": "false",
			"aws:PrincipalIsAWSService": "false"}}`: "200",
		`{"Null": {"aws:username": "true", "aws:MultiFactorAuthPresent": "true",
			"saml:aud": "true", "saml:iss": "true", "saml:doc": "true",
			"aws:SourceIdentity": "true"}}`: "200",
	} {
		policy := `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*",
			"Resource": "*", "Condition": ` + condition + `}}`
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{})
		r := g.request(t, "GET", catURL, "", "s3")
		r.Header.Set("User-Agent", "tests")
		r.Header.Set("Referer", "https://example.com/")
		if got := g.answer(r); got != want {
			t.Errorf("%s: got %s: %s", condition, got, g.lastCause())
		}
	}
}

// TestGate_TwoSpellings: a request with a condition key in two spellings is refused, whatever the
// order of a map is.
func TestGate_TwoSpellings(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	for tags, want := range map[string]string{
		"team=a&site=b": "200",
		"team=a&Team=b": "403 AccessDenied",
	} {
		r := g.request(t, "PUT", catURL, "meow", "s3")
		r.Header.Set("X-Amz-Tagging", tags)
		g.sign(t, r, hashOf("meow"), "s3")
		if got := g.answer(r); got != want {
			t.Errorf("%s: got %s, want %s: %s", tags, got, want, g.lastCause())
		}
	}
}

// TestGate_ResourceAccount: the account of a bucket is what Gate.Access says, in both keys. An
// account that is not that of the ARN is refused.
func TestGate_ResourceAccount(t *testing.T) {
	const bucket = "arn:aws:s3:::b"
	const queue = "arn:aws:sqs:eu-central-1:123456789012:q"
	const other = "999999999999"
	perimeter := func(key string) string {
		return `{"Effect": "Deny", "Action": "*", "Resource": "*",
			"Condition": {"StringNotEquals": {"` + key + `": "123456789012"}}},`
	}
	both := perimeter("aws:ResourceAccount") + perimeter("s3:ResourceAccount")
	for _, row := range []struct {
		name, deny, action, resource string
		context                      iampolicy.Context
		want, cause                  string
	}{
		{"the session's", both, "s3:GetObject", bucket + "/k", nil, "200", ""},
		{"another bucket, global key", perimeter("aws:ResourceAccount"), "s3:GetObject",
			bucket + "/k", iampolicy.Context{"aws:ResourceAccount": {other}}, "403 AccessDenied",
			"denied explicitly"},
		{"another bucket, key of S3", perimeter("s3:ResourceAccount"), "s3:GetObject",
			bucket + "/k", iampolicy.Context{"aws:ResourceAccount": {other}}, "403 AccessDenied",
			"denied explicitly"},
		{"set with the key of S3", perimeter("aws:ResourceAccount"), "s3:GetObject",
			bucket + "/k", iampolicy.Context{"S3:ResourceAccount": {other}}, "403 AccessDenied",
			"denied explicitly"},
		{"another bucket without a Deny", "", "s3:GetObject", bucket + "/k",
			iampolicy.Context{"aws:ResourceAccount": {other}}, "403 AccessDenied",
			"no resource policy"},
		{"two accounts", "", "s3:GetObject", bucket + "/k", iampolicy.Context{
			"aws:ResourceAccount": {"123456789012"}, "s3:ResourceAccount": {other},
		}, "501 NotImplemented", "set one account"},
		{"another one than the ARN's", "", "sqs:SendMessage", queue,
			iampolicy.Context{"aws:ResourceAccount": {other}}, "501 NotImplemented",
			"the account of \"" + queue + "\" is \"123456789012\""},
		{"that of the ARN", "", "sqs:SendMessage", queue,
			iampolicy.Context{"aws:ResourceAccount": {"123456789012"}}, "200", ""},
		{"of another service", `{"Effect": "Deny", "Action": "*", "Resource": "*",
			"Condition": {"Null": {"s3:ResourceAccount": "false"}}},`, "sqs:SendMessage", queue,
			nil, "200", ""},
	} {
		policy := `{"Version": "2012-10-17", "Statement": [` + row.deny +
			`{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`
		ask := func(*ststest.SignedRequest) ([]ststest.Access, error) {
			return []ststest.Access{{
				Action: row.action, Resource: row.resource, Context: row.context,
			}}, nil
		}
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{Access: ask})
		got := g.answer(g.request(t, "GET", catURL, "", "s3"))
		if got != row.want || !strings.Contains(g.lastCause(), row.cause) {
			t.Errorf("%s: got %s, want %s: %s", row.name, got, row.want, g.lastCause())
		}
	}
}

// TestGate_Anonymous: an anonymous caller is in no organization, and the account of a bucket is not
// known.
func TestGate_Anonymous(t *testing.T) {
	for condition, want := range map[string]string{
		`{"StringEquals": {"aws:PrincipalOrgID": "o-1"}}`:                 "403 AccessDenied",
		`{"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}`:  "403 AccessDenied",
		`{"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}`:              "200",
		`{"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}`: "200",
		`{"StringNotEquals": {"aws:ResourceAccount": "123456789012"}}`:    "501 NotImplemented",
		`{"StringNotEquals": {"s3:ResourceAccount": "123456789012"}}`:     "501 NotImplemented",
		`{"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}`:   "200",
		`{"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}`:   "403 AccessDenied",
		`{"StringNotLike": {"s3:authType": "*", "s3:signatureAge": "*"}}`: "200",
	} {
		public, err := iampolicy.Parse(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
			"Principal": "*", "Action": "s3:GetObject", "Resource": "*",
			"Condition": ` + condition + `}}`)
		if err != nil {
			t.Fatal(err)
		}
		g := newGated(t, ststest.Role{}, ststest.Gate{
			ResourcePolicies: func(string) []*iampolicy.Policy {
				return []*iampolicy.Policy{public}
			},
		})
		if got := g.answer(httptest.NewRequest("GET", catURL, nil)); got != want {
			t.Errorf("%s: got %s, want %s: %s", condition, got, want, g.lastCause())
		}
	}
}

// TestS3Access_CopyOfVersion: s3:VersionId is the version of the source, and the copy has none.
func TestS3Access_CopyOfVersion(t *testing.T) {
	var got []string
	g := newGated(t, ststest.Role{}, ststest.Gate{
		Access: func(r *ststest.SignedRequest) ([]ststest.Access, error) {
			all, err := ststest.S3Access(r)
			for _, a := range all {
				got = append(got, a.Action+fmt.Sprint(a.Context["s3:VersionId"]))
			}
			return all, err
		},
	})
	r := g.request(t, "PUT", catURL, "", "s3")
	r.Header.Set("X-Amz-Copy-Source", "other/bob/k?versionId=7")
	g.sign(t, r, hashOf(""), "s3")
	g.serve(r)
	if want := "s3:GetObjectVersion[7] s3:PutObject[]"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %s: %s", got, want, g.lastCause())
	}
}

// TestGate_DeleteObjectsIfMatch: whether an ETag in the body of DeleteObjects is in s3:if-match is
// not known, so a policy that depends on it decides nothing.
func TestGate_DeleteObjectsIfMatch(t *testing.T) {
	const policy = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Action": "s3:DeleteObject", "Resource": "*",
		"Condition": {"Null": {"s3:if-match": "true"}}}}`
	g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{})
	if got := g.answer(g.request(t, "DELETE", catURL, "", "s3")); got != "200" {
		t.Errorf("DeleteObject: got %s: %s", got, g.lastCause())
	}
	const body = "<Delete><Object><Key>a</Key><ETag>x</ETag></Object></Delete>"
	r := g.request(t, "POST", "https://b-1.s3.amazonaws.com/?delete", body, "s3")
	if got := g.answer(r); got != "501 NotImplemented" {
		t.Errorf("DeleteObjects: got %s: %s", got, g.lastCause())
	}
}
