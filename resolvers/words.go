package resolvers

import (
	"strings"

	"sparki.app/integrations"
)

// wording words an activity; {name} stands for the parameter of that name.
var wording = map[sparki.ActivityType]string{
	sparki.SettingsSaved:       "The settings were saved",
	sparki.IntegrationEnabled:  "The integration was switched on",
	sparki.IntegrationDisabled: "The integration was switched off",
	sparki.ConnectionChecked:   "The connection was checked: {state}",
	sparki.SyncRunStarted:      "A sync of the listings was started",
	sparki.SyncRunFinished:     "A sync of the listings ended: {state}",
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
	sparki.DeliveryFailed:      "A webhook delivery failed: {problem}",
}

func message(a *sparki.Activity) string {
	text := wording[a.Type]
	for name, value := range a.Params {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}
