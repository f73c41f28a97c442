package freshness

// Sizes is what tests see of a cache: how many entries it keeps, and in how many lists of
// owners.
func (c *Cache[V]) Sizes() (entries, lists int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries.byKey), len(c.entries.byOwner)
}

// Sizes is what tests see of marks: how many keys are known, and how many wait for their end.
func (m *Marks) Sizes() (keys, waiting int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.byKey), len(m.order)
}
