package setup

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	day = 24 * time.Hour
	// year is the mean year of the Julian calendar. So ten years end on the same date, give or take
	// a day.
	year = 8766 * time.Hour
)

// Validity is how long a certificate is valid, as a flag takes it: whole years ("10y"), whole days
// ("90d"), or what time.ParseDuration takes ("12h"). It is a pflag.Value.
type Validity time.Duration

// Set reads the value of a flag.
func (v *Validity) Set(text string) error {
	for suffix, unit := range map[string]time.Duration{"y": year, "d": day} {
		digits, ok := strings.CutSuffix(text, suffix)
		if !ok {
			continue
		}
		count, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return errValidity
		}
		if count > int64(math.MaxInt64/unit) || count < int64(math.MinInt64/unit) {
			return fmt.Errorf("%s is longer than 292 years", text)
		}
		*v = Validity(time.Duration(count) * unit)
		return nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return errValidity
	}
	*v = Validity(parsed)
	return nil
}

var errValidity = errors.New("give years, days or hours, such as 10y, 90d or 12h")

// String returns what Set takes, in the largest unit that divides it.
func (v Validity) String() string {
	d := time.Duration(v)
	switch {
	case d == 0:
		return "0h"
	case d%year == 0:
		return strconv.FormatInt(int64(d/year), 10) + "y"
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return d.String()
}

// Type is the word for the value in the help.
func (v Validity) Type() string { return "time" }
