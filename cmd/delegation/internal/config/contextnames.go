package config

import (
	"maps"
	"slices"
)

// contextNames returns the properties of context that every target of the JavaScript rules has. The
// rules use them to report what is missing. If only is empty, the rules run for all targets.
func contextNames(
	byTarget map[string]map[string]any, targets map[string]TargetSettings, only []string,
) []string {
	if len(only) == 0 {
		only = slices.Collect(maps.Keys(targets))
	}
	count := map[string]int{}
	for _, target := range only {
		for _, name := range namesInContext(byTarget[target]) {
			count[name]++
		}
	}
	names := []string{} // not nil, which would mean any
	for _, name := range slices.Sorted(maps.Keys(count)) {
		if count[name] == len(only) {
			names = append(names, name)
		}
	}
	return names
}

// namesInContext names the properties of one target, and each member of request.
func namesInContext(context map[string]any) (names []string) {
	for name, value := range context {
		request, isObject := value.(map[string]any)
		if name != "request" || !isObject {
			names = append(names, name)
			continue
		}
		for member := range request {
			names = append(names, "request."+member)
		}
	}
	return names
}
