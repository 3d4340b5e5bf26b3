#include "stats.h"

/* SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough to shuffle. */
uint64_t stats_draw(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

	return z ^ (z >> 31);
}

void stats_shuffle(size_t *order, size_t count, uint64_t *state)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = stats_draw(state) % i;
		size_t held = order[i - 1];

		order[i - 1] = order[other];
		order[other] = held;
	}
}
