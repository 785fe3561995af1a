// Package sparki holds the nouns of Sparki's integration backend and their small, pure rules.
//
// It imports nothing of the program and does no I/O: every other package is a way to store these
// nouns, to speak them (GraphQL, a CRM's wire format) or to move them from one place to another.
package sparki
