package devstack

import (
	"path/filepath"
	"testing"
)

// Only Linux tells the servers that their parent was killed.
func TestCrashOfThisProcessLeavesNoServer(t *testing.T) {
	dir := openDir(t)
	fakeRedisOnPath(t)
	owner := startOther(t, dir)
	data := dataDir(t, dir)
	if len(occupants(data, "")) == 0 || len(occupants(filepath.Join(dir, "redis"), "")) == 0 {
		t.Fatal("the servers do not run where they should")
	}
	owner.kill()
	eventually(t, "postgres ends", func() bool { return len(occupants(data, "")) == 0 })
	eventually(t, "redis ends", func() bool { return len(occupants(filepath.Join(dir, "redis"), "")) == 0 })
	if readPID(filepath.Join(data, "postmaster.pid")) != 0 {
		t.Error("postgres did not shut down cleanly")
	}
}
