package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// maxAnswer is the size of the largest answer that a visitor reads, in bytes.
const maxAnswer = 1 << 20

// visitor does what the page does in a browser: it signs a user in, gets credentials, and calls S3
// with them.
type visitor struct {
	album    *album
	verifier string // of PKCE
	tokens   tokens
}

// tokens are the provider's answer.
type tokens struct {
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
}

// credentials are the service's answer to GET /credentials.
type credentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      time.Time
}

// refusal is the service's answer to a refused request.
type refusal struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s (%s, HTTP %d)", r.Message, r.Code, r.Status)
}

// newVisitor returns a visitor who has not signed in.
func newVisitor(a *album) *visitor { return &visitor{album: a} }

// signIn signs a user in with the authorization code flow and PKCE (RFC 7636).
func (v *visitor) signIn(ctx context.Context, name, password string) error {
	v.verifier = rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(v.verifier))
	state := rand.Text()
	authorize := v.album.issuer + "/authorize?" + url.Values{
		"response_type":         {"code"},
		"client_id":             {clientID},
		"redirect_uri":          {v.album.page + "/"},
		"scope":                 {"openid profile email offline_access"},
		"state":                 {state},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}.Encode()
	back, err := v.logIn(ctx, authorize, name, password)
	if err != nil {
		return err
	}
	if back.Query().Get("state") != state {
		return errors.New("the provider returned another state")
	}
	return v.redeem(ctx, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {back.Query().Get("code")},
		"redirect_uri":  {v.album.page + "/"},
		"code_verifier": {v.verifier},
	})
}

// loginID is the hidden field of the login form.
var loginID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// logIn fills in the login form, and returns the address to which the provider redirects the
// browser.
func (v *visitor) logIn(ctx context.Context, authorize, name, password string) (*url.URL, error) {
	browser := &http.Client{
		Timeout: 10 * time.Second,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), v.album.page) {
				return http.ErrUseLastResponse // the page reads the code from its address
			}
			return nil
		},
	}
	form, err := get(ctx, browser, authorize)
	if err != nil {
		return nil, err
	}
	found := loginID.FindSubmatch(form)
	if found == nil {
		return nil, errors.New("the provider showed no login form")
	}
	fields := url.Values{
		"id":       {string(found[1])},
		"username": {name},
		"password": {password},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.album.issuer+loginPath,
		strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := browser.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusFound {
		return nil, fmt.Errorf("the login was refused with HTTP %d", response.StatusCode)
	}
	return response.Location()
}

// renew gets new tokens for the refresh token, as the page does before its ID token expires.
func (v *visitor) renew(ctx context.Context) error {
	return v.redeem(ctx, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {v.tokens.Refresh},
	})
}

// redeem calls the provider's token endpoint, as a page with the album's origin.
func (v *visitor) redeem(ctx context.Context, form url.Values) error {
	form.Set("client_id", clientID)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.album.issuer+"/oauth/token",
		strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", v.album.page)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var refused struct {
			Error string `json:"error"`
		}
		_ = json.Unmarshal(body, &refused) // the status is the error already
		return fmt.Errorf("the provider refused with HTTP %d: %s", response.StatusCode,
			refused.Error)
	}
	v.tokens = tokens{}
	return json.Unmarshal(body, &v.tokens)
}

// exchange gets credentials for the ID token. A refusal is a *refusal.
func (v *visitor) exchange(ctx context.Context) (*credentials, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet,
		v.album.service+"/credentials?target="+albumTarget, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+v.tokens.ID)
	r.Header.Set("Origin", v.album.page)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer := json.NewDecoder(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode != http.StatusOK {
		refused := &refusal{Status: response.StatusCode}
		if err := answer.Decode(refused); err != nil {
			return nil, err
		}
		return nil, refused
	}
	c := &credentials{}
	return c, answer.Decode(c)
}

// provider makes the credentials available to an AWS SDK client.
func (c *credentials) provider() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID:     c.AccessKeyID,
			SecretAccessKey: c.SecretAccessKey,
			SessionToken:    c.Token,
		}, nil
	})
}

// s3Client returns a client of the album's S3 that uses these credentials.
func (a *album) s3Client(c *credentials) *s3.Client {
	return s3.New(s3.Options{
		Region:       albumRegion,
		BaseEndpoint: aws.String(a.s3),
		UsePathStyle: true,
		Credentials:  c.provider(),
	})
}

// identity asks STS who the credentials belong to, and returns the ARN.
func (a *album) identity(ctx context.Context, c *credentials) (string, error) {
	client := sts.New(sts.Options{
		Region:       albumRegion,
		BaseEndpoint: aws.String(a.places.sts),
		Credentials:  c.provider(),
	})
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Arn), nil
}

// put stores a photo.
func put(ctx context.Context, client *s3.Client, key string, photo []byte) error {
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(albumBucket),
		Key:    aws.String(key),
		Body:   bytes.NewReader(photo),
	})
	return err
}

// fetch reads a photo.
func fetch(ctx context.Context, client *s3.Client, key string) ([]byte, error) {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(albumBucket),
		Key:    aws.String(key),
	})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(io.LimitReader(out.Body, maxPhoto))
}

// list returns the keys below a prefix.
func list(ctx context.Context, client *s3.Client, prefix string) ([]string, error) {
	out, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: aws.String(albumBucket),
		Prefix: aws.String(prefix),
	})
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, object := range out.Contents {
		keys = append(keys, aws.ToString(object.Key))
	}
	slices.Sort(keys)
	return keys, nil
}

// remove deletes a photo.
func remove(ctx context.Context, client *s3.Client, key string) error {
	_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: aws.String(albumBucket),
		Key:    aws.String(key),
	})
	return err
}

func get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(io.LimitReader(response.Body, maxAnswer))
}
