# The few commands that are too long to type. Everything of CI: .ci/run.
.PHONY: vuln licences

# Known vulnerabilities in what we call of our libraries. Needs https://vuln.go.dev, or a copy of it in GOVULNDB.
vuln:
	go tool -modfile=tools.mod govulncheck $(if $(GOVULNDB),-db $(GOVULNDB)) ./...

# The list of licences anew, after a change of go.mod.
licences:
	go test . -run TestLicences -write-licences
