package delegation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/session"
)

// roleCheck begins the names of results about roles.
const roleCheck = "subjects in "

// checkConfiguration is what the configuration alone can tell, with warnings and errors only.
func (d *Delegator) checkConfiguration() []CheckResult {
	c := &d.config
	results := d.checkSTSSettings()
	for i := range c.Issuers {
		if warnings := c.issuerWarnings(i); len(warnings) > 0 {
			results = append(results, CheckResult{
				Name:     "issuer " + c.Issuers[i].URL,
				Kind:     CheckIssuer,
				Issuer:   c.Issuers[i].URL,
				Warnings: warnings,
			})
		}
	}
	for _, region := range d.targets.regions {
		if warnings := c.regionWarnings(region); len(warnings) > 0 {
			result := regionResult(region)
			result.Warnings = warnings
			results = append(results, result)
		}
	}
	results = append(results, c.checkRoles()...)
	results = append(results, d.sessions...)
	return append(results, d.checkKeys(c.Now())...)
}

// checkSTSSettings says how STS is called, if that is not usual.
func (d *Delegator) checkSTSSettings() (results []CheckResult) {
	add := func(name string, w CheckWarning) {
		w.Configured = true
		results = append(results, CheckResult{
			Name:     name,
			Kind:     CheckSettings,
			Degrades: true,
			Warnings: []CheckWarning{w},
		})
	}
	if d.config.UnsafeSTSEmulator {
		add("sts answers", CheckWarning{
			Code:  WarningSTSEmulator,
			Text:  emulatorWarning,
			Field: "UnsafeSTSEmulator",
		})
	}
	if text := d.endpointWarning(); text != "" {
		add("sts endpoint", CheckWarning{
			Code:   WarningSTSEndpoint,
			Text:   text,
			Remedy: session.EndpointRemedy,
		})
	}
	return results
}

// issuerWarnings are what the configuration alone can tell of an issuer.
func (c *Config) issuerWarnings(i int) (warnings []CheckWarning) {
	issuer := &c.Issuers[i]
	at := fmt.Sprintf("Issuers[%d]", i)
	if text, remedy := c.strangers(issuer); text != "" {
		warnings = append(warnings, CheckWarning{
			Code:   WarningIssuerStrangers,
			Text:   text,
			Remedy: remedy,
			Field:  at,
		})
	}
	return asConfigured(warnings)
}

// regionWarnings say that a region's name is probably misspelt. AWS may have made the region since,
// so it is no error.
func (c *Config) regionWarnings(region Region) []CheckWarning {
	if p, _ := iam.PartitionOf(region.name); p.Knows(region.name) {
		return nil
	}
	return []CheckWarning{{
		Code: WarningRegionUnknown,
		Text: fmt.Sprintf("%q is not one of the regions of %s that this version knows",
			region.name, region.partition),
		Remedy:     "correct its name, unless AWS has added the region since",
		Field:      c.fieldOfRegion(region),
		Configured: true,
	}}
}

// fieldOfRegion is the first field of the configuration with a region, as New names it; empty: it
// is of another source.
func (c *Config) fieldOfRegion(region Region) string {
	targets := c.fixedTargets()
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		target := targets[name]
		switch {
		case target.AWS.Region == region.name:
			return fmt.Sprintf("Targets[%q]: Region", name)
		case slices.Contains(target.AWS.FailoverRegions, region.name):
			return fmt.Sprintf("Targets[%q]: FailoverRegions", name)
		}
	}
	return ""
}

// checkRoles has a warning for each role that users of several issuers share.
func (c *Config) checkRoles() (results []CheckResult) {
	roles := c.sharedRoles()
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		results = append(results, CheckResult{
			Name:     roleCheck + role,
			Kind:     CheckRole,
			Degrades: true,
			Warnings: []CheckWarning{{
				Code:       WarningSubjectsShared,
				Text:       roles[role],
				Remedy:     sharedRoleRemedy,
				Configured: true,
			}},
		})
	}
	return results
}

// checkKeys has the warnings of all signing keys, each key once.
func (d *Delegator) checkKeys(now time.Time) (results []CheckResult) {
	seen := map[string]bool{}
	fields := sync.OnceValue(d.fieldsOfKeys) // mostly there is nothing to say of any key
	add := func(p *IdentityProvider) {
		for i, key := range p.Keys {
			name := key.name(p.EntityID)
			warnings := p.keyWarnings(i, now)
			if len(warnings) == 0 || seen[name] {
				continue
			}
			seen[name] = true
			for i := range warnings {
				warnings[i].Field = fields()[string(key.Certificate.Raw)]
			}
			results = append(results, CheckResult{Name: name, Kind: CheckKey, Warnings: warnings})
		}
	}
	add(&d.config.IdentityProvider)
	targets := d.config.fixedTargets()
	for _, name := range d.targets.withIdentity {
		add(targets[name].Identity)
	}
	slices.SortFunc(results, func(a, b CheckResult) int { return strings.Compare(a.Name, b.Name) })
	return results
}

// fieldsOfKeys are the fields of the configuration with a key, as New names them, by the DER of the
// key's certificate. Of several for one key, it is the first. Keys of other sources have none.
func (d *Delegator) fieldsOfKeys() map[string]string {
	fields := map[string]string{}
	add := func(p *IdentityProvider, at string) {
		for i, key := range p.Keys {
			raw := string(key.Certificate.Raw)
			if fields[raw] == "" {
				fields[raw] = fmt.Sprintf("%s: Keys[%d]", at, i)
			}
		}
	}
	add(&d.config.IdentityProvider, "IdentityProvider")
	targets := d.config.fixedTargets()
	for _, name := range d.targets.withIdentity {
		add(targets[name].Identity, fmt.Sprintf("Targets[%q]: Identity", name))
	}
	return fields
}
