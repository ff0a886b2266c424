package gpu

import (
	"maps"
	"slices"
)

// Choices say which variant of a kernel a graph takes where several fit. nil
// and the zero value say: the first.
type Choices struct {
	// Fastest names the variant of a problem.
	Fastest map[string]string `json:"fastest,omitempty"`
	// Faulty are the variants that are not taken, and why.
	Faulty map[string]string `json:"faulty,omitempty"`

	forced *forced
}

// forced is how variants are chosen while tasks are collected.
type forced struct {
	whole    bool // the picks that are forced: those that open a Whole, or the others
	number   int  // of the variant that they take, from 0, or else the last
	plainest bool // what the others take: the last variant, or their usual choice
}

func (c Choices) clone() Choices {
	fastest, faulty := map[string]string{}, map[string]string{}
	maps.Copy(fastest, c.Fastest)
	maps.Copy(faulty, c.Faulty)
	return Choices{Fastest: fastest, Faulty: faulty}
}

// choose takes one of the variants that fit.
func (c *Choices) choose(p *pick) *Variant {
	if c == nil {
		return p.fits[0]
	}
	sound := c.sound(p.fits)
	if f := c.forced; f != nil && p.problem != "" {
		if f.whole == p.whole {
			return sound[min(f.number, len(sound)-1)]
		}
		if f.plainest {
			return sound[len(sound)-1]
		}
	}
	name := c.Fastest[p.problem]
	if i := slices.IndexFunc(sound, func(v *Variant) bool { return v.Name() == name }); i >= 0 {
		return sound[i]
	}
	return sound[0]
}

// sound are the variants that are not faulty or, if all are, the last one.
func (c *Choices) sound(fits []*Variant) []*Variant {
	list := slices.DeleteFunc(slices.Clone(fits), func(v *Variant) bool {
		_, faulty := c.Faulty[v.Name()]
		return faulty
	})
	if len(list) == 0 {
		return fits[len(fits)-1:]
	}
	return list
}

// Chosen names the variant of every problem in the graphs that several fit.
func Chosen(graphs ...*Graph) map[string]string {
	chosen := map[string]string{}
	for _, g := range graphs {
		for _, p := range g.picks {
			if p.problem != "" {
				chosen[p.problem] = p.chosen.Name()
			}
		}
	}
	return chosen
}
