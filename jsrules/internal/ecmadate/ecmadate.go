// Package ecmadate has the dates of ECMAScript in UTC: texts are read and written as V8 does, and
// fields are computed in floating point, as ECMA-262 §21.4.1 says. A time value is a float64:
// milliseconds since 1970, or NaN for no date.
package ecmadate

import (
	"fmt"
	"math"
	"time"
)

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
	// limit is the greatest time value: 100,000,000 days.
	limit = 8.64e15
)

// Clip returns a time value for a time, or NaN if it is out of range (§21.4.1.31).
func Clip(ms float64) float64 {
	if !(math.Abs(ms) <= limit) {
		return math.NaN()
	}
	return math.Trunc(ms) + 0 // not -0
}

// Make returns the time of a date and a time of day (§21.4.1.30). Months count from 0, and every
// part may be out of its range. The result is not clipped.
func Make(year, month, date, hours, minutes, seconds, milliseconds float64) float64 {
	days := makeDay(year, month, date)
	inDay := makeTime(hours, minutes, seconds, milliseconds)
	// Conversions keep the compiler from fusing operations, which would round once only.
	ms := float64(days*day) + inDay
	if math.IsInf(ms, 0) {
		return math.NaN()
	}
	return ms
}

func makeTime(hours, minutes, seconds, milliseconds float64) float64 {
	if !finite(hours) || !finite(minutes) || !finite(seconds) || !finite(milliseconds) {
		return math.NaN()
	}
	ms := float64(math.Trunc(hours)*hour) + float64(math.Trunc(minutes)*minute)
	ms += float64(math.Trunc(seconds) * second)
	return ms + math.Trunc(milliseconds)
}

// makeDay returns the day of a date. V8 gives up on years and months beyond these limits.
func makeDay(year, month, date float64) float64 {
	if !(math.Abs(year) <= 1e6 && math.Abs(month) <= 1e7) || !finite(date) {
		return math.NaN()
	}
	first := time.Date(int(year), time.Month(int(month)+1), 1, 0, 0, 0, 0, time.UTC)
	return float64(first.Unix()/(day/second)) + math.Trunc(date) - 1
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// FullYear returns the year that a number means: 0 to 99 are in the twentieth century (§21.4.1.30).
func FullYear(year float64) float64 {
	if whole := math.Trunc(year); whole >= 0 && whole <= 99 {
		return 1900 + whole
	}
	return year
}

// Of returns the time of a time value, which must not be NaN.
func Of(ms float64) time.Time { return time.UnixMilli(int64(ms)).UTC() }

// Date returns the date as toDateString does.
func Date(ms float64) string {
	t := Of(ms)
	return t.Format("Mon Jan 02 ") + year(t, "-%04d", "%04d")
}

// Time returns the time of day as toTimeString does.
func Time(ms float64) string {
	return Of(ms).Format("15:04:05 ") + "GMT+0000 (Coordinated Universal Time)"
}

// Text returns a time as toString does.
func Text(ms float64) string { return Date(ms) + " " + Time(ms) }

// UTC returns a time as toUTCString does.
func UTC(ms float64) string {
	t := Of(ms)
	return t.Format("Mon, 02 Jan ") + year(t, "-%04d", "%04d") + t.Format(" 15:04:05 GMT")
}

// ISO returns a time as toISOString does.
func ISO(ms float64) string {
	t := Of(ms)
	format := "%04d"
	if t.Year() > 9999 {
		format = "+%06d"
	}
	return year(t, "-%06d", format) + t.Format("-01-02T15:04:05.000Z")
}

// year formats the year. Years before Christ have a separate format.
func year(t time.Time, before, since string) string {
	if t.Year() < 0 {
		return fmt.Sprintf(before, -t.Year())
	}
	return fmt.Sprintf(since, t.Year())
}
