package devstack

import (
	"os"
	"regexp"
)

// libpqVariable matches PGHOST, PGSERVICE and their like, but not our own PG_BIN_DIR.
var libpqVariable = regexp.MustCompile(`^(PG[A-Z]+)=`)

// UnsetLibpqEnv removes libpq's variables from the environment and returns their names. pgx adds
// them to every URL it parses, so a stray PGSERVICE breaks the connection to a server of our own.
func UnsetLibpqEnv() []string {
	var names []string
	for _, entry := range os.Environ() {
		if m := libpqVariable.FindStringSubmatch(entry); m != nil {
			os.Unsetenv(m[1])
			names = append(names, m[1])
		}
	}
	return names
}
