package samldoc_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/samldoc"
)

// writable is a response, or the oracle of one.
type writable interface {
	Write(ctx context.Context, now time.Time, random io.Reader) (string, string, error)
}

// writing writes a response over and over.
func writing(b *testing.B, r writable) func() {
	return func() {
		if _, _, err := r.Write(b.Context(), start, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}

// blank is a response without the cost of a signature.
func blank(by identity, tags int) *samldoc.Response {
	r := plainResponse(by, tags)
	r.Signer = samldoc.BlankSigner{Key: by.signer.Public()}
	r.Callees = nil
	return r
}

// signing makes bare signatures.
func signing(b *testing.B, key *rsa.PrivateKey) func() {
	digest := sha256.Sum256([]byte("the digest of a SignedInfo"))
	return func() {
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteToBareSignature is what a response costs over RSA-2048's signature.
func BenchmarkWriteToBareSignature(b *testing.B) {
	by := newIdentity(2048)
	compareTimes(b, 20, writing(b, plainResponse(by, 2)),
		signing(b, by.signer.(*rsa.PrivateKey)))
}

// BenchmarkOracleToBareSignature is the same for crewjam/saml's writer with goxmldsig.
func BenchmarkOracleToBareSignature(b *testing.B) {
	by := newIdentity(2048)
	compareTimes(b, 20, writing(b, oracle{plainResponse(by, 2)}),
		signing(b, by.signer.(*rsa.PrivateKey)))
}

// BenchmarkWriteToOracle is what all but the signature costs over crewjam/saml's writer with
// goxmldsig.
func BenchmarkWriteToOracle(b *testing.B) {
	by := newIdentity(2048)
	compareTimes(b, 200, writing(b, blank(by, 2)), writing(b, oracle{blank(by, 2)}))
}

// BenchmarkTag reports what one more tag costs a response.
func BenchmarkTag(b *testing.B) {
	by := newIdentity(2048)
	few, many := compareTimes(b, 200, writing(b, blank(by, 0)), writing(b, blank(by, 50)))
	b.ReportMetric((many-few)/50, "ns/tag")
}

// BenchmarkWrite is a whole response, with a signer that may hang.
func BenchmarkWrite(b *testing.B) {
	r := plainResponse(newIdentity(2048), 2)
	r.Signer = struct{ crypto.Signer }{r.Signer}
	r.Callees = new(guard.Callees)
	write := writing(b, r)
	b.ReportAllocs()
	for b.Loop() {
		write()
	}
}

// compareTimes runs both in turn, each so many times, and reports two ratios of their CPU time:
// that of the best rounds, and the median of the rounds. The time of the process has garbage
// collection in it, and not what else the machine does. It returns the time of a run in the best
// rounds.
func compareTimes(b *testing.B, runs int, first, second func()) (ns, otherNs float64) {
	var times [2][]float64
	var ratios []float64
	for b.Loop() {
		for i, run := range []func(){first, second} {
			began := cpuTime(b)
			for range runs {
				run()
			}
			times[i] = append(times[i], float64(cpuTime(b)-began)/float64(runs))
		}
		last := len(times[0]) - 1
		ratios = append(ratios, times[0][last]/times[1][last])
	}
	slices.Sort(ratios)
	ns = slices.Min(times[0])
	otherNs = slices.Min(times[1])
	b.ReportMetric(ns/otherNs, "ratio-min")
	b.ReportMetric(ratios[len(ratios)/2], "ratio-median")
	b.ReportMetric(ns, "cpu-ns")
	return ns, otherNs
}

// cpuTime is what the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
