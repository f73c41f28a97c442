package enus

import (
	"errors"
	"fmt"
	"time"
)

// DateOptions are those of Intl.DateTimeFormat, resolved. A field is numeric or 2-digit. Weekday
// and Month can also be long, short or narrow. An empty field is not written.
type DateOptions struct {
	Weekday, Year, Month, Day, Hour, Minute, Second string
	// HourCycle is h11, h12, h23 or h24. Empty is h12.
	HourCycle string
	// Zone is the name of the time zone: short, long, or empty for none. It needs UTC.
	Zone string
	// Location is the time zone.
	Location *time.Location
}

// ErrCombination is a combination of fields that this package does not write.
var ErrCombination = errors.New("this combination of fields")

// Styles adds the fields of dateStyle and timeStyle, which may be empty: full, long, medium, short.
func (o *DateOptions) Styles(date, clock string) {
	switch date {
	case "full", "long", "medium":
		o.Year = "numeric"
		o.Month = "long"
		o.Day = "numeric"
		if date == "full" {
			o.Weekday = "long"
		} else if date == "medium" {
			o.Month = "short"
		}
	case "short":
		o.Year = "2-digit"
		o.Month = "numeric"
		o.Day = "numeric"
	}
	if clock == "" {
		return
	}
	o.Hour = "numeric"
	o.Minute = "2-digit"
	if clock != "short" {
		o.Second = "2-digit"
	}
	o.Zone = map[string]string{"full": "long", "long": "short"}[clock]
}

// Date returns a date as text.
func Date(t time.Time, o DateOptions) (string, error) {
	t = t.In(o.Location)
	date, err := o.date(t)
	if err != nil {
		return "", err
	}
	clock, err := o.clock(t)
	if err != nil {
		return "", err
	}
	zone, err := o.zone()
	switch {
	case err != nil:
		return "", err
	case clock != "" && zone != "":
		clock += " " + zone
	case clock == "":
		clock = zone
	}
	switch {
	case date == "":
		return clock, nil
	case clock == "":
		return date, nil
	case o.Weekday != "" && o.Month == "":
		return "", ErrCombination
	case o.Month == "long":
		return date + " at " + clock, nil
	}
	return date + ", " + clock, nil
}

// date writes weekday, year, month and day.
func (o *DateOptions) date(t time.Time) (string, error) {
	year := o.year(t)
	month := o.month(t)
	day := number(t.Day(), o.Day)
	weekday := name(t.Weekday().String(), o.Weekday)
	var date string
	numeric := o.Month == "numeric" || o.Month == "2-digit"
	switch {
	case month != "" && day != "" && year != "" && numeric:
		date = month + "/" + day + "/" + year
	case month != "" && day != "" && year != "":
		date = month + " " + day + ", " + year
	case month != "" && day != "" && numeric:
		date = month + "/" + day
	case month != "" && day != "":
		date = month + " " + day
	case weekday != "" && day != "" && year == "":
		return day + " " + weekday, nil
	case weekday != "" && (year != "" || month != ""), year != "" && day != "":
		return "", ErrCombination
	case weekday != "":
		return weekday, nil
	case month != "" && year != "" && numeric:
		return month + "/" + year, nil
	case month != "" && year != "":
		return month + " " + year, nil
	default:
		return year + month + day, nil // one of them
	}
	if weekday != "" {
		date = weekday + ", " + date
	}
	return date, nil
}

// year writes the year of the era. The era itself is not written, even before Christ.
func (o *DateOptions) year(t time.Time) string {
	year := t.Year()
	if year <= 0 {
		year = 1 - year
	}
	if o.Year == "2-digit" {
		year %= 100
	}
	return number(year, o.Year)
}

func (o *DateOptions) month(t time.Time) string {
	if o.Month == "numeric" || o.Month == "2-digit" {
		return number(int(t.Month()), o.Month)
	}
	return name(t.Month().String(), o.Month)
}

// name writes the name of a month or of a day of the week.
func name(long, width string) string {
	switch width {
	case "long":
		return long
	case "short":
		return long[:3]
	case "narrow":
		return long[:1]
	}
	return ""
}

func number(n int, width string) string {
	switch width {
	case "numeric":
		return fmt.Sprint(n)
	case "2-digit":
		return fmt.Sprintf("%02d", n)
	}
	return ""
}

// clock writes hour, minute and second.
func (o *DateOptions) clock(t time.Time) (string, error) {
	minuteAndSecond := t.Format("04:05")
	switch {
	case o.Hour == "" && o.Minute == "" && o.Second == "":
		return "", nil
	case o.Hour == "" && o.Minute != "" && o.Second != "":
		return minuteAndSecond, nil
	case o.Hour == "" || o.Minute == "" && o.Second != "":
		return "", ErrCombination
	}
	clock, half := o.hour(t.Hour())
	switch {
	case o.Second != "":
		clock += ":" + minuteAndSecond
	case o.Minute != "":
		clock += t.Format(":04")
	}
	return clock + half, nil
}

// hour writes the hour, and a.m. or p.m. for the end of the text.
func (o *DateOptions) hour(hour int) (text, half string) {
	half = " AM"
	if hour >= 12 {
		half = " PM"
	}
	switch o.HourCycle {
	case "h23":
		return fmt.Sprintf("%02d", hour), ""
	case "h24":
		return fmt.Sprintf("%02d", (hour+23)%24+1), ""
	case "h11":
		return number(hour%12, o.Hour), half
	}
	return number((hour+11)%12+1, o.Hour), half
}

// zone writes the name of the time zone.
func (o *DateOptions) zone() (string, error) {
	switch {
	case o.Zone == "":
		return "", nil
	case o.Hour != "" && o.Minute == "":
		return "", ErrCombination
	case o.Location != time.UTC:
		return "", errors.New("the name of a time zone other than UTC")
	case o.Zone == "long":
		return "Coordinated Universal Time", nil
	}
	return "UTC", nil
}
