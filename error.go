package sparki

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Kind sorts every error by what the reader can do about it. Each edge (HTTP, GraphQL, the worker)
// has one table from Kind to its own language.
type Kind string

const (
	// Invalid: the input is wrong; the same call will never work.
	Invalid Kind = "INVALID"
	// NotFound: there is no such object, or it belongs to another portal. From a CRM: it is gone there.
	NotFound Kind = "NOT_FOUND"
	// Conflict: the object is not in a state that allows this, for example a run that already runs.
	Conflict Kind = "CONFLICT"
	// Unauthenticated: the caller is not known.
	Unauthenticated Kind = "UNAUTHENTICATED"
	// Forbidden: the caller is known but may not do this.
	Forbidden Kind = "FORBIDDEN"
	// Unauthorized: the CRM refuses us (401, 403). Jobs are parked until the settings are saved.
	Unauthorized Kind = "UNAUTHORIZED"
	// Misconfigured: the CRM works, but not with these settings; a person has to mend them.
	Misconfigured Kind = "MISCONFIGURED"
	// Unavailable: time-outs, network faults, 408, 429 and 5xx. Trying again later may work.
	Unavailable Kind = "UNAVAILABLE"
	// Rejected: any other refusal of the CRM. Trying again will not help.
	Rejected Kind = "REJECTED"
	// Internal: our own fault, or one that nobody classified.
	Internal Kind = "INTERNAL"
)

// Error is an error whose kind and text are meant for the caller. The text never holds a secret.
type Error struct {
	Kind Kind
	// Text says what is wrong and what to do, in plain words.
	Text string
	// Logged is the text without what a CRM said itself, which may repeat what it was sent, for example a customer's
	// e-mail address: the office is shown it, no log is. "" when Text holds nothing of it.
	Logged string
	// RetryAfter is how long to wait before the next try; 0 when nobody said.
	RetryAfter time.Duration
	// Lost: the answer of a CRM got lost, so what was asked for may have been done, or be done yet. It
	// says nothing about a call that only reads.
	Lost bool
	// Unasked: the CRM failed too often just now, so it was left alone. Nothing was sent and nothing was
	// learnt, so this is no try; RetryAfter says when it is asked again.
	Unasked bool
	// Err is the cause, for the log only; may be nil.
	Err error
}

// Error is what a log may hold.
func (e *Error) Error() string {
	text := cmp.Or(e.Logged, e.Text)
	if e.Err != nil {
		return text + ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of the given kind. A %w verb keeps its cause.
func Errorf(kind Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if cause := errors.Unwrap(err); cause != nil {
		return &Error{Kind: kind, Text: err.Error(), Err: cause}
	}
	return &Error{Kind: kind, Text: err.Error()}
}

// KindOf tells the kind of an error; Internal for one that has none, "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// TextOf is the part of an error that may be shown to a person; "" for an error without a kind.
func TextOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Text
	}
	return ""
}

// Unasked says whether a CRM was left alone, see Error.
func Unasked(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Unasked
}

// UserErrorCode names a refusal that the person can act on.
type UserErrorCode string

// The codes that are in use; clients switch on them.
const (
	CodeAddOnLocked         UserErrorCode = "ADD_ON_LOCKED"
	CodeInvalid             UserErrorCode = "INVALID"
	CodeRequired            UserErrorCode = "REQUIRED"
	CodeMaskedSecret        UserErrorCode = "MASKED_SECRET"
	CodeAlreadyLinked       UserErrorCode = "ALREADY_LINKED"
	CodeItemInactive        UserErrorCode = "ITEM_INACTIVE"
	CodeProjectArchived     UserErrorCode = "PROJECT_ARCHIVED"
	CodeDomainOff           UserErrorCode = "DOMAIN_OFF"
	CodeIntegrationDisabled UserErrorCode = "INTEGRATION_DISABLED"
	CodeSyncAlreadyRunning  UserErrorCode = "SYNC_ALREADY_RUNNING"
	CodeNothingToApprove    UserErrorCode = "NOTHING_TO_APPROVE"
	CodeStalePreview        UserErrorCode = "STALE_PREVIEW"
	CodeMedewerkerRequired  UserErrorCode = "MEDEWERKER_REQUIRED"
	CodeTargetUnavailable   UserErrorCode = "TARGET_UNAVAILABLE"
	CodeNotParentSchedule   UserErrorCode = "NOT_PARENT_SCHEDULE"
	CodeDevModeOff          UserErrorCode = "DEV_MODE_OFF"
	CodeNothingToRetry      UserErrorCode = "NOTHING_TO_RETRY"
	CodeNothingToResolve    UserErrorCode = "NOTHING_TO_RESOLVE"
)

// UserError is one refusal: what is wrong, in words for the person, and where in the input.
type UserError struct {
	Message string
	Code    UserErrorCode
	// Field is the path into the input, for example ["input", "settings", "apiBaseUrl"]; nil when
	// the refusal is not about one field.
	Field []string
}

// Refusal is the error a service returns when a person has to change the input. The edge shows it
// as the payload's userErrors; nothing was written.
type Refusal []UserError

func (r Refusal) Error() string {
	if len(r) == 0 {
		return "refused"
	}
	return r[0].Message
}

// Refuse makes a Refusal of one UserError.
func Refuse(code UserErrorCode, message string, field ...string) error {
	return Refusal{{Message: message, Code: code, Field: field}}
}
