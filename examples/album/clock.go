package main

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clock is the time of everything in the album: the provider, the service, STS and S3. It is the
// machine's time, plus what a test has advanced it by.
type clock struct{ ahead atomic.Int64 }

// Now returns the clock's time.
func (c *clock) Now() time.Time { return time.Now().Add(c.offset()) }

// Since returns how long ago a time of this clock was.
func (c *clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// offset returns how far the clock runs ahead of the machine's.
func (c *clock) offset() time.Duration { return time.Duration(c.ahead.Load()) }

// advance moves the clock. Other requests may be under way, and see either time.
func (c *clock) advance(by time.Duration) { c.ahead.Add(int64(by)) }

// dated makes a handler's answers have this clock's time in the header Date. After a
// RequestTimeTooSkewed error, the AWS SDK signs with the time in that header.
func (c *clock) dated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.offset() != 0 {
			w.Header().Set("Date", c.Now().UTC().Format(http.TimeFormat))
		}
		next.ServeHTTP(w, r)
	})
}
