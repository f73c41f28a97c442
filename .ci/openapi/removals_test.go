package openapi

import (
	"maps"
	"slices"
)

// removals takes each response, header, member of an answer, required member and word out of a
// description, one at a time, and puts it back after try.
func removals(node any, at string, try func(at string)) {
	switch node := node.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(node)) {
			place := at + "/" + name
			switch name {
			case "responses", "properties", "headers":
				if object, isObject := node[name].(map[string]any); isObject {
					removeMembers(object, place, try)
				}
			case "required", "enum":
				if list, isList := node[name].([]any); isList {
					removeEntries(node, name, list, place, try)
				}
			}
			removals(node[name], place, try)
		}
	case []any:
		for i := range node {
			removals(node[i], at+"/…", try)
		}
	}
}

// everywhere are headers of all answers to secrets or to pages. To take each out of each response
// would take long, and the golden answers show them all.
var everywhere = []string{
	"Cache-Control", "Pragma", "X-Content-Type-Options", "X-Request-ID", "Vary",
	"Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
}

func removeMembers(object map[string]any, at string, try func(at string)) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if slices.Contains(everywhere, name) {
			continue
		}
		value := object[name]
		delete(object, name)
		try(at + "/" + name)
		object[name] = value
	}
}

func removeEntries(
	node map[string]any, name string, list []any, at string, try func(at string),
) {
	for i := range list {
		node[name] = slices.Delete(slices.Clone(list), i, i+1)
		try(at + "/" + textOf(list[i]))
	}
	node[name] = list
}

func textOf(value any) string {
	text, _ := value.(string)
	return text
}
