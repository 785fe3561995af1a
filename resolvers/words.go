package resolvers

import (
	"cmp"
	"context"
	"strings"

	"sparki.app/integrations"
	"sparki.app/integrations/words"
)

// wording words an activity; {name} stands for the parameter of that name.
var wording = map[sparki.ActivityType]string{
	sparki.SettingsSaved:       "The settings were saved",
	sparki.IntegrationEnabled:  "The integration was switched on",
	sparki.IntegrationDisabled: "The integration was switched off",
	sparki.ConnectionChecked:   "The connection was checked: {state}",
	sparki.SyncRunStarted:      "A sync was started",
	sparki.SyncRunFinished:     "A sync ended: {state}",
	sparki.ItemCreated:         "{title} is new",
	sparki.ItemUpdated:         "{title} changed",
	sparki.ItemDeactivated:     "{title} is no longer available",
	sparki.ItemReactivated:     "{title} is available again",
	sparki.ProjectImported:     "{title} was imported as a project",
	sparki.ProjectLinked:       "A project was linked to {title}",
	sparki.ProjectDisconnected: "{title} was disconnected from the CRM",
	sparki.ProjectRefreshed:    "The project {title} was refreshed from the CRM",
	sparki.ProjectCreated:      "The project {title} was made",
	sparki.ProjectUpdated:      "The project {title} was changed",
	sparki.ProjectReviewed:     "The project {title} was reviewed",
	sparki.DeliveryReceived:    "A webhook delivery was received",
	sparki.DeliveryRejected:    "A webhook delivery is unreadable: {problem}",
	sparki.DeliveryFailed:      "A webhook delivery failed: {problem}",

	sparki.ScheduleCreated:          "The schedule {title} was made",
	sparki.ScheduleLinked:           "The schedule {title} was linked with the agenda of {target}",
	sparki.ScheduleDisconnected:     "The schedule {title} was disconnected from the agenda of {target}",
	sparki.AppointmentCreated:       "An appointment was made",
	sparki.AppointmentUpdated:       "An appointment was changed",
	sparki.AppointmentEnded:         "An appointment was cancelled",
	sparki.WriteBackSent:            "The CRM's agenda follows an appointment: {action}",
	sparki.WriteBackFailedActivity:  "An appointment could not be written to the CRM: {problem}",
	sparki.WriteBackSkippedActivity: "An appointment is not written to the CRM: {reason}",
	sparki.WriteBackDrifted:         "An appointment was changed in the CRM: {drift}",
	sparki.DriftResolved:            "It was decided whose word holds about an appointment that was changed in the CRM",
}

// states words the parameter {state}: a state of the connection, or of a run that ended.
var states = map[string]string{
	string(sparki.ConnectionOK):            "it works",
	string(sparki.ConnectionUnreachable):   "the CRM does not answer",
	string(sparki.ConnectionUnauthorized):  "the CRM refuses the credentials",
	string(sparki.ConnectionRevoked):       "the office took its consent back",
	string(sparki.ConnectionMisconfigured): "the settings have to be mended",
	string(sparki.RunNeedsApproval):        "it waits for approval",
	string(sparki.RunSucceeded):            "it succeeded",
	string(sparki.RunFailed):               "it failed",
	string(sparki.RunCancelled):            "it was stopped",
	string(sparki.WriteBackCreate):         "it was created",
	string(sparki.WriteBackUpdate):         "it was updated",
	string(sparki.WriteBackCancel):         "it was cancelled",
	string(sparki.MovedInCRM):              "it was moved",
	string(sparki.CancelledInCRM):          "it was cancelled there",
	string(sparki.DeletedInCRM):            "it was deleted",
}

// message words an activity in the language of whoever reads it.
func message(ctx context.Context, a *sparki.Activity) string {
	var params []string
	for name, value := range a.Params {
		if name != "title" && name != "target" { // these are the CRM's or a person's
			value = words.In(ctx, cmp.Or(states[value], value))
		}
		params = append(params, "{"+name+"}", value)
	}
	return strings.NewReplacer(params...).Replace(words.In(ctx, wording[a.Type]))
}
