package webclient

import (
	"fmt"
	"sync"
)

// Budget counts the requests and the bytes of answers of a rule, or of an exchange. Its parent
// counts them, too. It is safe for concurrent use.
type Budget struct {
	what     string
	parent   *Budget
	mu       sync.Mutex
	requests int   // left
	bytes    int64 // left
}

// NewBudget returns a budget of a number of requests and of bytes. Errors say what it is for, such
// as "the rule". The parent is nil if there is none.
func NewBudget(what string, requests int, bytes int64, parent *Budget) *Budget {
	return &Budget{what: what, parent: parent, requests: requests, bytes: bytes}
}

// request counts one request, or refuses it.
func (b *Budget) request() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.requests == 0 {
		return &Error{Code: CodeRequests, Text: b.what +
			" has sent too many requests: Options.HTTP.MaxRequests is the limit for a rule, " +
			fmt.Sprintf("and all rules of an exchange together have %d times as many",
				ExchangeShare)}
	}
	b.requests--
	return b.parent.request()
}

// read counts bytes of an answer, or refuses it.
func (b *Budget) read(bytes int64) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes < bytes {
		return &Error{Code: CodeSize, Text: fmt.Sprintf("the answers to %s are too large "+
			"together: a rule may read %d times Options.HTTP.MaxSize, and all rules of an "+
			"exchange together %d times as much", b.what, RuleShare, ExchangeShare)}
	}
	b.bytes -= bytes
	return b.parent.read(bytes)
}

const (
	// RuleShare is how many answers of the largest size one rule may read.
	RuleShare = 4
	// ExchangeShare is how many rules of an exchange can use what one rule may use at most.
	ExchangeShare = 5
)
