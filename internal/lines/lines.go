// Package lines prints structs for people who read terminals and logs.
package lines

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Of returns a line for each exported field that is set, in the order of the struct: texts, errors, times, durations, and lists and
// maps of them, all quoted, because strangers may have chosen what they say. An entry of a list of structs is a line of such fields. Other fields,
// structs among them, are left out.
func Of(v any) string {
	var b strings.Builder
	for _, part := range parts(reflect.ValueOf(v)) {
		b.WriteString(part + "\n")
	}
	return b.String()
}

func parts(v reflect.Value) (list []string) {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if !field.IsExported() || value.IsZero() {
			continue
		}
		switch x := value.Interface().(type) {
		case time.Duration:
			list = append(list, field.Name+": "+x.String())
			continue
		case time.Time:
			list = append(list, field.Name+": "+x.UTC().Format(time.RFC3339))
			continue
		case error:
			list = append(list, fmt.Sprintf("%s: %q", field.Name, x.Error()))
			continue
		}
		switch value.Kind() {
		case reflect.String:
			list = append(list, fmt.Sprintf("%s: %q", field.Name, value.String()))
		case reflect.Map: // fmt sorts the keys
			list = append(list, fmt.Sprintf("%s: %q", field.Name, value.Interface()))
		case reflect.Slice:
			if value.Type().Elem().Kind() != reflect.Struct {
				list = append(list, fmt.Sprintf("%s: %q", field.Name, value.Interface()))
				continue
			}
			for n := range value.Len() {
				list = append(list, fmt.Sprintf("%s %d: %s", field.Name, n+1, strings.Join(parts(value.Index(n)), ", ")))
			}
		}
	}
	return list
}
