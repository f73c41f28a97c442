package explain

import (
	"maps"
	"reflect"
	"slices"
)

// ChangedFields returns the names of the exported fields in which two structs of one type differ,
// in their order.
func ChangedFields(before, after any) (names []string) {
	b, a := reflect.ValueOf(before), reflect.ValueOf(after)
	for i := range b.NumField() {
		if field := b.Type().Field(i); field.IsExported() && !equal(b.Field(i), a.Field(i)) {
			names = append(names, field.Name)
		}
	}
	return names
}

// ChangedKeys returns the keys that were added, removed or given another value, sorted.
func ChangedKeys(before, after map[string]any) (keys []string) {
	all := maps.Clone(before)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, after)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		b, had := before[key]
		a, has := after[key]
		if had != has || !reflect.DeepEqual(b, a) {
			keys = append(keys, key)
		}
	}
	return keys
}

// equal takes nil and empty for the same: nobody sees a difference in a policy or a list of tags.
func equal(b, a reflect.Value) bool {
	if k := b.Kind(); (k == reflect.Map || k == reflect.Slice) && b.Len() == 0 && a.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(b.Interface(), a.Interface())
}
