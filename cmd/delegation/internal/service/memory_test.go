package service_test

import (
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"testing/fstest"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// machine is a file system with these files.
func machine(files map[string]string) fstest.MapFS {
	made := fstest.MapFS{}
	for name, text := range files {
		made[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return made
}

// TestMemory_LimitIsNineTenthsOfTheCgroups reads both versions of cgroups, as processes on hosts,
// in containers, and in groups within groups see them.
func TestMemory_LimitIsNineTenthsOfTheCgroups(t *testing.T) {
	const (
		v2  = "0::/system.slice/delegation.service\n"
		v1  = "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/docker/abc\n"
		top = "sys/fs/cgroup/"
	)
	for name, row := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no cgroups": {nil, 0},
		"version 2": {map[string]string{
			"proc/self/cgroup": v2,
			top + "system.slice/delegation.service/memory.max": "1000000\n",
		}, 900_000},
		"version 2, the group above allows less": {map[string]string{
			"proc/self/cgroup": v2,
			top + "system.slice/delegation.service/memory.max": "1000000\n",
			top + "system.slice/memory.max":                    "500000\n",
		}, 450_000},
		"version 2, only the group above has a limit": {map[string]string{
			"proc/self/cgroup": v2,
			top + "system.slice/delegation.service/memory.max": "max\n",
			top + "system.slice/memory.max":                    "500000\n",
		}, 450_000},
		"version 2, a container that sees itself as the top": {map[string]string{
			"proc/self/cgroup":  "0::/\n",
			top + "memory.max":  "2000000\n",
			top + "memory.high": "1\n",
		}, 1_800_000},
		"version 2, a group outside of what the container sees": {map[string]string{
			"proc/self/cgroup": "0::/../../other\n",
			top + "memory.max": "2000000\n",
		}, 1_800_000},
		"version 2 without a limit": {map[string]string{
			"proc/self/cgroup": v2,
			top + "system.slice/delegation.service/memory.max": "max\n",
		}, 0},
		"version 1": {map[string]string{
			"proc/self/cgroup": v1,
			top + "memory/docker/abc/memory.limit_in_bytes": "1000000\n",
			top + "memory/memory.limit_in_bytes":            "9223372036854771712\n",
		}, 900_000},
		"version 1, a container with the host's path": {map[string]string{
			"proc/self/cgroup":                   v1,
			top + "memory/memory.limit_in_bytes": "1000000\n",
		}, 900_000},
		"version 1 without a limit": {map[string]string{
			"proc/self/cgroup": v1,
			top + "memory/docker/abc/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0},
		"both, memory by version 1": {map[string]string{
			"proc/self/cgroup": v1 + "0::/docker/abc\n",
			top + "memory/docker/abc/memory.limit_in_bytes": "1000000\n",
		}, 900_000},
		"memory limited by nothing that is listed": {map[string]string{
			"proc/self/cgroup": "3:cpuset:/\n",
			top + "memory.max": "1000000\n",
		}, 0},
		"a path with a colon": {map[string]string{
			"proc/self/cgroup":     "0::/a:b\n",
			top + "a:b/memory.max": "1000000\n",
		}, 900_000},
		"odd files": {map[string]string{
			"proc/self/cgroup":   "\n::\nx\n0::/a",
			top + "a/memory.max": "lots",
			top + "memory.max":   "-1",
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			unset := func(string) string { return "" }
			if got := service.MemoryOf(unset, machine(row.files)).Limit; got != row.want {
				t.Errorf("%d, want %d", got, row.want)
			}
		})
	}
}

// TestMemory_EnvironmentTakesPrecedence: each variable that is set decides for itself.
func TestMemory_EnvironmentTakesPrecedence(t *testing.T) {
	limited := machine(map[string]string{
		"proc/self/cgroup":         "0::/\n",
		"sys/fs/cgroup/memory.max": "1000000\n",
	})
	for name, row := range map[string]struct {
		environment map[string]string
		want        service.Memory
	}{
		"nothing set":    {nil, service.Memory{GCPercent: 400, Limit: 900_000}},
		"GOGC":           {map[string]string{"GOGC": "100"}, service.Memory{Limit: 900_000}},
		"GOGC off":       {map[string]string{"GOGC": "off"}, service.Memory{Limit: 900_000}},
		"GOMEMLIMIT":     {map[string]string{"GOMEMLIMIT": "1GiB"}, service.Memory{GCPercent: 400}},
		"GOMEMLIMIT off": {map[string]string{"GOMEMLIMIT": "off"}, service.Memory{GCPercent: 400}},
		"both":           {map[string]string{"GOGC": "50", "GOMEMLIMIT": "1GiB"}, service.Memory{}},
	} {
		t.Run(name, func(t *testing.T) {
			variable := func(name string) string { return row.environment[name] }
			if got := service.MemoryOf(variable, limited); got != row.want {
				t.Errorf("%+v, want %+v", got, row.want)
			}
		})
	}
}

// TestMemory_IsApplied: the runtime does what Memory says, and nothing that it does not say.
func TestMemory_IsApplied(t *testing.T) {
	limitBefore := debug.SetMemoryLimit(-1)
	percentBefore := debug.SetGCPercent(100)
	t.Cleanup(func() {
		debug.SetMemoryLimit(limitBefore)
		debug.SetGCPercent(percentBefore)
	})
	for _, row := range []struct {
		memory         service.Memory
		percent, limit uint64
	}{
		{service.Memory{}, 100, uint64(limitBefore)},
		{service.Memory{GCPercent: 400}, 400, uint64(limitBefore)},
		{service.Memory{Limit: 1 << 40}, 400, 1 << 40},
		{service.Memory{GCPercent: 200, Limit: 1 << 41}, 200, 1 << 41},
	} {
		row.memory.Apply()
		samples := []metrics.Sample{
			{Name: "/gc/gogc:percent"},
			{Name: "/gc/gomemlimit:bytes"},
		}
		metrics.Read(samples)
		percent := samples[0].Value.Uint64()
		limit := samples[1].Value.Uint64()
		if percent != row.percent || limit != row.limit {
			t.Errorf("%+v: GOGC %d and limit %d", row.memory, percent, limit)
		}
	}
}
