package growth

import (
	"errors"
	"fmt"
)

// Slopes returns what the model takes from the figures.
func (f *Figures) Slopes() (Slopes, error) {
	var m Slopes
	var records, tracked []point
	for _, r := range f.Records {
		records = append(records, point{float64(r.ValueBytes), r.Bytes})
	}
	for _, t := range f.Tracking {
		tracked = append(tracked, point{float64(t.Holders), t.Bytes})
	}
	if len(records) < 2 || len(tracked) < 2 || len(f.NearCache) == 0 || len(f.Delays) == 0 || len(f.Values) == 0 {
		return m, errors.New("growth: there are too few figures for a model")
	}
	m.Record, m.Tracked = fit(records), fit(tracked)
	m.Entry = f.NearCache[len(f.NearCache)-1].BytesASession
	var err error
	if m.Message, err = f.messageBytes(tracking); err != nil {
		return m, err
	}
	var told []point
	for _, one := range f.Messages {
		if one.Invalidation == tracking {
			told = append(told, point{float64(one.Holders), one.ServerNanos})
		}
	}
	m.Tell = max(fit(told).Slope, 0)
	for _, d := range f.Delays {
		if d.Invalidation == tracking {
			m.Connections = float64(d.Connections) / float64(d.Nodes)
		}
	}
	for _, h := range f.Hits {
		if h.Eviction == tinyLFU && h.Zipf == modelZipf && !h.Scans && m.OfIdeal == 0 {
			n := float64(h.Sessions)
			m.OfIdeal = h.HitRatio / ideal(h.CacheShare*n, n, h.Zipf)
		}
	}
	smallest := f.Values[0].Bytes
	for operation, into := range map[string]*float64{MissedGet: &m.Get, Change: &m.Change, Generate: &m.Create} {
		for _, v := range f.Values {
			if v.Operation == operation && v.Bytes == smallest {
				*into = v.ServerNanos
			}
		}
	}
	if m.Connections == 0 || m.OfIdeal == 0 || m.Get == 0 || m.Change == 0 || m.Create == 0 {
		return m, fmt.Errorf("growth: a figure is missing for the model: %+v", m)
	}
	return m, nil
}

const (
	tracking = "tracking"
	pubsub   = "pubsub"
	tinyLFU  = "TinyLFU"
)

// answerBytes is what the server sends a node for its own change: ":1\r\n".
const answerBytes = 4

// messageBytes is what one message is long: where only one node hears of a change,
// all that is sent besides the answer.
func (f *Figures) messageBytes(invalidation string) (float64, error) {
	for _, m := range f.Messages {
		if invalidation == tracking && m.Invalidation == tracking && m.Holders == 1 || invalidation == pubsub && m.Invalidation == pubsub && m.Nodes == 1 {
			return m.Bytes - answerBytes, nil
		}
	}
	return 0, fmt.Errorf("growth: no single message by %s was measured", invalidation)
}

// messages returns how many the server sends a change.
func (f *Figures) messages(m Messages) (float64, error) {
	each, err := f.messageBytes(m.Invalidation)
	return (m.Bytes - answerBytes) / each, err
}
