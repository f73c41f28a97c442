package jsrules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// aliases are other names for settings, in small letters and without underscores: those of AWS's
// API, of SAML attributes, of this library's Go and YAML, and of other tools.
var aliases = map[string]string{
	"arn": "role", "rolearn": "role", "awsrole": "role", "roles": "role", "rolename": "role",
	"principalarn": "principal", "provider": "principal", "samlprovider": "principal",
	"providerarn": "principal", "samlproviderarn": "principal", "idp": "principal",
	"regions": "failoverRegions", "fallbackregions": "failoverRegions",
	"awsregion": "region", "stsregion": "region",
	"attributes": "mappings", "samlattributes": "mappings", "map": "mappings",
	"lifetime": "lifetime_in_seconds", "duration": "lifetime_in_seconds",
	"durationseconds": "lifetime_in_seconds", "durationinseconds": "lifetime_in_seconds",
	"sessionduration": "lifetime_in_seconds", "expiresin": "lifetime_in_seconds",
	"ttl": "lifetime_in_seconds", "lifetimeseconds": "lifetime_in_seconds",
	"sessionpolicy": "policy", "inlinepolicy": "policy", "policydocument": "policy",
	"policies": "policyArns", "managedpolicies": "policyArns", "policyarn": "policyArns",
	"managedpolicyarns": "policyArns", "sessionpolicyarns": "policyArns",
	"sessiontags": "tags", "principaltags": "tags", "principaltag": "tags",
	"transitivetags": "transitiveTagKeys", "transitivekeys": "transitiveTagKeys",
	"droppabletagkeys": "droppableTags", "optionaltags": "droppableTags",
	"sourceid": "sourceIdentity", "identity": "sourceIdentity",
	"rolesessionname": "sessionName", "session": "sessionName", "username": "sessionName",
	"failover": "failoverRegions", "subject": "nameID", "sub": "nameID",
	"nameidentifier": "nameID", "samlsubject": "nameID",
}

// meant says which setting an unknown name probably means, as the end of an error.
func meant(name string, all []setting) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	if alias := aliases[folded(name)]; alias != "" {
		return fmt.Sprintf(": %s is meant", alias)
	}
	if nearest := nearest(name, names); nearest != "" {
		return fmt.Sprintf(": %s is meant", nearest)
	}
	return ": the settings are " + strings.Join(names, ", ")
}

// folded returns a name in lower case and without separators, so that spellings compare equal.
func folded(name string) string { return strings.ToLower(separators.Replace(name)) }

var separators = strings.NewReplacer("_", "", "-", "", " ", "", ".", "")

// nearest returns the known name of which a name is a misspelling, or "". A misspelling differs by
// at most two letters, and by at most a third of the letters.
func nearest(name string, names []string) string {
	found := ""
	best := 1 << 30
	for _, known := range names {
		far := distance(folded(name), folded(known))
		if far < best && far <= 2 && far*3 <= len(folded(known)) {
			found = known
			best = far
		}
	}
	return found
}

// distance counts the steps that turn one text into another: to insert, remove or replace a letter,
// or to swap two neighbours (optimal string alignment).
func distance(a, b string) int {
	const longest = 100
	if len(a) > longest || len(b) > longest {
		return 1 << 20
	}
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before = last
		last = row
	}
	return last[len(b)]
}

// checkAddons refuses add-ons whose names look like a misspelt aws.
func (o *outgoing) checkAddons(names []string) {
	for _, name := range names {
		if name == "aws" {
			continue
		}
		short := folded(name)
		if nearest(name, []string{"aws"}) != "" || short == "amazon" ||
			short == "awsdelegation" || short == "amazonwebservices" {
			panic(o.wrong("has no add-on %.100q: aws is meant", name))
		}
	}
}

// decisive are the properties of context that decide about the exchange. With
// Options.SAMLConfiguration, samlConfiguration does, too.
var decisive = []string{"addonConfiguration", "redirect", "multifactor"}

// checkContext refuses properties of context whose names look like a misspelt decisive one. Nothing
// would read them.
func (o *outgoing) checkContext(set map[string]any) {
	if len(set) == 0 {
		return
	}
	decides := decisive
	if o.run.options.SAMLConfiguration != "" {
		decides = append(slices.Clone(decisive), "samlConfiguration")
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		for _, known := range decides {
			sameLetters := folded(name) == folded(known)
			misspelled := known == "addonConfiguration" && nearest(name, decisive[:1]) != ""
			if name != known && (sameLetters || misspelled) {
				panic(o.wrong("has no property %.100q: %s is meant", name, known))
			}
		}
	}
	if _, isSet := set["aws"]; isSet {
		panic(o.wrong("has no property %q: addonConfiguration.aws is meant", "aws"))
	}
}
