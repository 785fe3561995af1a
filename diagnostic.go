package sparki

// DiagnosticCheck names what the troubleshooting page looks at.
type DiagnosticCheck string

// The checks, in the order in which they are shown.
const (
	CheckAddOn      DiagnosticCheck = "ADD_ON_AVAILABLE"
	CheckEnabled    DiagnosticCheck = "INTEGRATION_ENABLED"
	CheckSettings   DiagnosticCheck = "SETTINGS_COMPLETE"
	CheckConnection DiagnosticCheck = "CONNECTION"
	CheckListings   DiagnosticCheck = "LISTINGS_ENABLED"
	CheckFilters    DiagnosticCheck = "FILTERS_MATCH"
	CheckWebhook    DiagnosticCheck = "WEBHOOK_RECEIVED"
	CheckAgenda     DiagnosticCheck = "AGENDA_ENABLED"
	CheckTargets    DiagnosticCheck = "AGENDA_TARGETS_FOUND"
	CheckLinks      DiagnosticCheck = "SCHEDULES_LINKED"
	CheckOutbound   DiagnosticCheck = "OUTBOUND_ENABLED"
	CheckWriteBack  DiagnosticCheck = "WRITE_BACK_HEALTHY"
	CheckDevMode    DiagnosticCheck = "DEV_MODE_OFF"
	CheckMock       DiagnosticCheck = "MOCK_OFF"
)

// DiagnosticOutcome is how a check turned out.
type DiagnosticOutcome string

// The outcomes.
const (
	DiagnosticPass DiagnosticOutcome = "PASS"
	// DiagnosticWarn: it works, but perhaps not as it was meant.
	DiagnosticWarn DiagnosticOutcome = "WARN"
	// DiagnosticFail: it stops the work until somebody mends it.
	DiagnosticFail DiagnosticOutcome = "FAIL"
	// DiagnosticSkipped: it tells nothing before something else is settled.
	DiagnosticSkipped DiagnosticOutcome = "SKIPPED"
)

// Diagnostic is one check of an integration with its outcome and what to do about it.
type Diagnostic struct {
	Check   DiagnosticCheck
	Outcome DiagnosticOutcome
	Message string
	// Remedy is what to do; nil when it passed.
	Remedy *string
}
