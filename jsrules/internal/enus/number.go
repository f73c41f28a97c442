// Package enus writes numbers and dates as Intl does for the locale en-US, with the patterns of
// CLDR. It has the parts of Intl that rules use, and refuses everything else, so its output never
// differs from that of Intl.
package enus

import (
	"math"
	"strconv"
	"strings"
)

// NumberOptions are those of Intl.NumberFormat, resolved.
type NumberOptions struct {
	Percent bool
	// Symbol is that of a currency, or empty.
	Symbol string
	// MinInteger is the least number of digits before the point.
	MinInteger int
	// MinFraction and MaxFraction are the numbers of digits after the point.
	MinFraction, MaxFraction int
	// MinSignificant and MaxSignificant are the numbers of significant digits. If MaxSignificant is
	// not 0, these replace the limits of digits after the point.
	MinSignificant, MaxSignificant int
	// Ungrouped leaves out the commas.
	Ungrouped bool
}

// Number returns a number as text. It is rounded half away from zero, from its shortest decimal
// form, as ICU does.
func Number(f float64, o NumberOptions) string {
	var text strings.Builder
	if math.Signbit(f) && !math.IsNaN(f) {
		text.WriteByte('-')
	}
	text.WriteString(o.Symbol)
	switch {
	case math.IsNaN(f):
		text.WriteString("NaN")
	case math.IsInf(f, 0):
		text.WriteString("∞")
	default:
		text.WriteString(o.digits(math.Abs(f)))
	}
	if o.Percent {
		text.WriteByte('%')
	}
	return text.String()
}

// digits writes a number that is not negative.
func (o *NumberOptions) digits(f float64) string {
	d := decimalOf(f)
	if o.Percent && len(d.digits) > 0 {
		d.point += 2
	}
	fraction := o.MinFraction
	if o.MaxSignificant > 0 {
		d.round(o.MaxSignificant)
		// The first significant digit of 0 is the 0 before the point.
		fraction = o.MinSignificant - max(d.point, 1)
		if d.point <= 0 && len(d.digits) > 0 {
			fraction = o.MinSignificant - d.point
		}
	} else {
		d.round(d.point + o.MaxFraction)
	}
	whole, rest := d.parts()
	for len(rest) < fraction {
		rest += "0"
	}
	for len(whole) < o.MinInteger {
		whole = "0" + whole
	}
	if !o.Ungrouped {
		whole = grouped(whole)
	}
	if rest == "" {
		return whole
	}
	return whole + "." + rest
}

// grouped puts a comma between each three digits.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// decimal is the number 0.DIGITS × 10^point. It has no zeros at the end. Zero has no digits.
type decimal struct {
	digits []byte
	point  int
}

// decimalOf returns the shortest decimal form of a number.
func decimalOf(f float64) *decimal {
	if f == 0 {
		return &decimal{}
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	power, _ := strconv.Atoi(exponent) // FormatFloat writes a number
	d := &decimal{[]byte(strings.Replace(mantissa, ".", "", 1)), power + 1}
	d.trim()
	return d
}

func (d *decimal) trim() {
	for len(d.digits) > 0 && d.digits[len(d.digits)-1] == '0' {
		d.digits = d.digits[:len(d.digits)-1]
	}
	if len(d.digits) == 0 {
		d.point = 0
	}
}

// round keeps the first n digits.
func (d *decimal) round(n int) {
	if n >= len(d.digits) {
		return
	}
	if n < 0 {
		*d = decimal{}
		return
	}
	up := d.digits[n] >= '5'
	d.digits = d.digits[:n]
	if up {
		d.increment()
	}
	d.trim()
}

// increment adds one to the last digit.
func (d *decimal) increment() {
	for i := len(d.digits) - 1; i >= 0; i-- {
		if d.digits[i] < '9' {
			d.digits[i]++
			return
		}
		d.digits[i] = '0'
	}
	d.digits = append([]byte{'1'}, d.digits...)
	d.point++
}

// parts returns the digits before the point, and those after it.
func (d *decimal) parts() (whole, fraction string) {
	digits := string(d.digits)
	switch {
	case d.point <= 0:
		return "0", strings.Repeat("0", -d.point) + digits
	case d.point >= len(digits):
		return digits + strings.Repeat("0", d.point-len(digits)), ""
	}
	return digits[:d.point], digits[d.point:]
}
