package sdkclients_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

const (
	target = delegationtest.Target
	region = delegationtest.Region

	// directory is a bucket with sessions of its own (S3 Express One Zone).
	directory = "photos--euc1-az1--x-s3"
	// everywhere is a Multi-Region Access Point, whose requests are signed with SigV4A.
	everywhere = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"

	headerUser = "X-Test-User"
)

// world is a Delegator with its STS, and an S3 that notes who calls and whose keys sign.
type world struct {
	*delegationtest.Delegator

	mu       sync.Mutex
	requests []request
}

// request is one that the S3 got.
type request struct {
	user, key string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Delegator: delegationtest.New(t)}
	w.Clock.Set(time.Now()) // the SDK signs by the real time
	return w
}

// signedBy finds the access key in a header Authorization, of SigV4 and of SigV4A.
var signedBy = regexp.MustCompile(`Credential=([^/]+)/`)

// Do is the S3. It notes all calls but CreateSession, whose session belongs to the key that signed.
func (w *world) Do(r *http.Request) (*http.Response, error) {
	found := signedBy.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil {
		return nil, errors.New("a request without a signature")
	}
	answer := "<ListBucketResult></ListBucketResult>"
	if r.URL.Query().Has("session") {
		answer = fmt.Sprintf("<CreateSessionResult><Credentials><AccessKeyId>%s-session"+
			"</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token"+
			"</SessionToken><Expiration>%s</Expiration></Credentials></CreateSessionResult>",
			found[1], time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	} else {
		w.mu.Lock()
		w.requests = append(w.requests, request{r.Header.Get(headerUser), found[1]})
		w.mu.Unlock()
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/xml"}},
		Body:       io.NopCloser(strings.NewReader(answer)),
		Request:    r,
	}, nil
}

// as is the context of a call of a user.
func (w *world) as(ctx context.Context, user string) context.Context {
	return delegation.WithIDToken(ctx, w.Token(map[string]any{"sub": user}))
}

// owner returns the user whose key it is, by the records of STS.
func (w *world) owner(key string) string {
	for _, call := range w.STS.Calls() {
		if call.AccessKeyID == strings.TrimSuffix(key, "-session") && call.Subject != "" {
			return call.Subject
		}
	}
	return ""
}

// list calls the S3 as a user, and says so in a header.
func list(ctx context.Context, client *s3.Client, bucket, user string) error {
	_, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket},
		s3.WithAPIOptions(smithyhttp.AddHeaderValue(headerUser, user)))
	return err
}

// says tells whether the text of an error names the code.
func says(err error, code delegation.Code) bool {
	return strings.Contains(fmt.Sprint(err), "("+string(code)+")")
}

// TestS3_EachCallIsTheUsers: with usual buckets, with directory buckets, whose sessions the client
// keeps, and with Multi-Region Access Points, whose keys it derives.
func TestS3_EachCallIsTheUsers(t *testing.T) {
	for name, bucket := range map[string]string{
		"usual": "photos", "directory": directory, "multi-region": everywhere,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			client := s3.NewFromConfig(aws.Config{
				Region:      region,
				Credentials: w.FromContext(target),
				HTTPClient:  w,
			})
			users := []string{"alice", "bob", "carol", "alice", "bob"}
			for _, user := range users {
				if err := list(w.as(t.Context(), user), client, bucket, user); err != nil {
					t.Fatal(err)
				}
			}
			var group sync.WaitGroup
			for i := range 40 {
				user := users[i%3]
				group.Go(func() {
					if err := list(w.as(t.Context(), user), client, bucket, user); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			for _, r := range w.requests {
				if w.owner(r.key) != r.user {
					t.Errorf("a request of %s is signed as %q", r.user, w.owner(r.key))
				}
				if strings.HasSuffix(r.key, "-session") != (bucket == directory) {
					t.Errorf("a request is signed with %s", r.key)
				}
			}
			if len(w.requests) != 45 {
				t.Errorf("%d requests", len(w.requests))
			}
			err := list(t.Context(), client, bucket, "nobody")
			if !says(err, delegation.CodeContextWithoutToken) || len(w.requests) != 45 {
				t.Errorf("without a token: %v", err)
			}
			// Of the other two the SDK keeps the text alone, so that programs see another error.
			wrapped := errors.Is(err, delegation.CodeContextWithoutToken)
			if wrapped != (bucket == "photos") {
				t.Errorf("the error is in the SDK's: %v", wrapped)
			}
		})
	}
}

// TestS3_Presigned: URLs are the user's, too.
func TestS3_Presigned(t *testing.T) {
	w := newWorld(t)
	client := s3.NewPresignClient(s3.NewFromConfig(aws.Config{
		Region:      region,
		Credentials: w.FromContext(target),
	}))
	for _, user := range []string{"alice", "bob", "alice"} {
		presigned, err := client.PresignGetObject(w.as(t.Context(), user), &s3.GetObjectInput{
			Bucket: aws.String("photos"),
			Key:    aws.String("cat.jpg"),
		})
		if err != nil {
			t.Fatal(err)
		}
		link, err := url.Parse(presigned.URL)
		if err != nil {
			t.Fatal(err)
		}
		key, _, _ := strings.Cut(link.Query().Get("X-Amz-Credential"), "/")
		if w.owner(key) != user {
			t.Errorf("a URL of %s is signed as %q", user, w.owner(key))
		}
	}
}

// TestS3_FailsInACache: calls and URLs of a client whose credentials are cached, of each kind of
// bucket. The first fails, too.
func TestS3_FailsInACache(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "") // is for clients with a network
	for _, bucket := range []string{"photos", directory, everywhere} {
		w := newWorld(t)
		loaded, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region),
			config.WithHTTPClient(w), config.WithCredentialsProvider(w.FromContext(target)))
		if err != nil {
			t.Fatal(err)
		}
		client := s3.NewFromConfig(loaded)
		for _, user := range []string{"alice", "bob", "alice"} {
			ctx := w.as(t.Context(), user)
			err := list(ctx, client, bucket, user)
			if !says(err, delegation.CodeContextWithoutEnd) {
				t.Errorf("%s: %s calls: %v", bucket, user, err)
			}
			_, err = s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{
				Bucket: &bucket,
				Key:    aws.String("cat.jpg"),
			})
			if !says(err, delegation.CodeContextWithoutEnd) {
				t.Errorf("%s: %s presigns: %v", bucket, user, err)
			}
		}
		if len(w.requests) != 0 || len(w.STS.Calls()) != 0 {
			t.Errorf("%s: %d requests", bucket, len(w.requests))
		}
	}
}

// TestAssumeRole_FailsInACache: a cache around a provider that calls AWS with a client of users is
// recognized, too: no step between sets a time-out.
func TestAssumeRole_FailsInACache(t *testing.T) {
	w := newWorld(t)
	users := sts.NewFromConfig(aws.Config{
		Region:       region,
		BaseEndpoint: &w.STSURL,
		Credentials:  w.FromContext(target),
	})
	provider := stscreds.NewAssumeRoleProvider(users, delegationtest.Role)
	client := s3.NewFromConfig(aws.Config{
		Region:      region,
		Credentials: aws.NewCredentialsCache(provider),
		HTTPClient:  w,
	})
	for _, user := range []string{"alice", "bob", "alice"} {
		err := list(w.as(t.Context(), user), client, "photos", user)
		if !errors.Is(err, delegation.CodeContextWithoutEnd) {
			t.Errorf("%s: %v", user, err)
		}
	}
	if len(w.requests) != 0 || len(w.STS.Calls()) != 0 {
		t.Errorf("%d requests", len(w.requests))
	}
}
