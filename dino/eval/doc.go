// Package eval looks at what a network has learned and at what it learns from:
// tables of features, attention maps, contact sheets of crops.
package eval
