// Package s3fake is a small Amazon S3 in memory, for the example and its tests. It knows three
// operations: ListObjectsV2, GetObject and PutObject. It checks neither signatures nor policies:
// ststest.Server.Gate, which is in front of it, does both.
package s3fake

import (
	"bytes"
	"crypto/md5" // the ETag of S3 is one
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxKeys is how many keys ListObjectsV2 lists at most (Amazon S3 API Reference, ListObjectsV2).
const maxKeys = 1000

// maxObject is the size of the largest object that it accepts.
const maxObject = 1 << 20

// Bucket is a bucket with its objects. It is an http.Handler for requests in path style, such as
// GET /example-photos/alice/cat.jpg. It is safe for concurrent use.
type Bucket struct {
	name string

	mu      sync.Mutex
	objects map[string]object
}

type object struct {
	content  []byte
	modified time.Time
}

// New returns an empty bucket with this name.
func New(name string) *Bucket {
	return &Bucket{name: name, objects: map[string]object{}}
}

// Put stores an object, and replaces one with the same key.
func (b *Bucket) Put(key string, content []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects[key] = object{
		content:  slices.Clone(content),
		modified: time.Now().UTC().Truncate(time.Second),
	}
}

// Object returns the content of an object, and whether there is one.
func (b *Bucket) Object(key string) (content []byte, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o, found := b.objects[key]
	return slices.Clone(o.content), found
}

// ServeHTTP answers a request that has passed the gate. The path is used as it was sent: S3 has no
// folders, and ".." is a part of a key like any other.
func (b *Bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case bucket != b.name:
		refuse(w, http.StatusNotFound, "NoSuchBucket")
	case r.Method == http.MethodGet && key == "" && r.URL.Query().Get("list-type") == "2":
		b.list(w, r)
	case r.Method == http.MethodGet && key != "":
		b.get(w, key)
	case r.Method == http.MethodPut && key != "":
		b.put(w, r, key)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

// listing is the answer of ListObjectsV2.
type listing struct {
	XMLName     xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name        string
	Prefix      string
	KeyCount    int
	MaxKeys     int
	IsTruncated bool
	Contents    []listed
}

type listed struct {
	Key          string
	LastModified string
	ETag         string
	Size         int
}

func (b *Bucket) list(w http.ResponseWriter, r *http.Request) {
	limit := maxKeys
	if text := r.URL.Query().Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			refuse(w, http.StatusBadRequest, "InvalidArgument")
			return
		}
		limit = min(n, maxKeys)
	}
	answer := listing{Name: b.name, Prefix: r.URL.Query().Get("prefix"), MaxKeys: limit}
	b.mu.Lock()
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if !strings.HasPrefix(key, answer.Prefix) {
			continue
		}
		if len(answer.Contents) == limit {
			answer.IsTruncated = true
			break
		}
		o := b.objects[key]
		answer.Contents = append(answer.Contents, listed{
			Key:          key,
			LastModified: o.modified.Format(time.RFC3339),
			ETag:         o.etag(),
			Size:         len(o.content),
		})
	}
	b.mu.Unlock()
	answer.KeyCount = len(answer.Contents)
	writeXML(w, http.StatusOK, answer)
}

// get answers with the object. For a missing key, S3 answers AccessDenied to a caller who may not
// list the bucket (Amazon S3 API Reference, GetObject), and NoSuchKey to others. This fake does not
// know who may list, so it always gives the answer that tells less.
func (b *Bucket) get(w http.ResponseWriter, key string) {
	b.mu.Lock()
	o, found := b.objects[key]
	b.mu.Unlock()
	if !found {
		refuse(w, http.StatusForbidden, "AccessDenied")
		return
	}
	w.Header().Set("Content-Type", "binary/octet-stream") // as for objects without a type
	w.Header().Set("Content-Length", strconv.Itoa(len(o.content)))
	w.Header().Set("ETag", o.etag())
	w.Header().Set("Last-Modified", o.modified.Format(http.TimeFormat))
	_, _ = w.Write(o.content) // the client may have disconnected
}

func (b *Bucket) put(w http.ResponseWriter, r *http.Request, key string) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxObject))
	if err != nil {
		refuse(w, http.StatusBadRequest, "EntityTooLarge")
		return
	}
	b.Put(key, content)
	w.Header().Set("ETag", object{content: content}.etag())
}

func (o object) etag() string {
	digest := md5.Sum(o.content)
	return `"` + hex.EncodeToString(digest[:]) + `"`
}

// failure is an S3 error (Amazon S3 API Reference, Error responses).
type failure struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId"`
}

func refuse(w http.ResponseWriter, status int, code string) {
	writeXML(w, status, failure{Code: code, Message: code, RequestID: "s3fake"})
}

func writeXML(w http.ResponseWriter, status int, answer any) {
	var body bytes.Buffer
	body.WriteString(xml.Header)
	if err := xml.NewEncoder(&body).Encode(answer); err != nil {
		http.Error(w, fmt.Sprint(err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client may have disconnected
}
