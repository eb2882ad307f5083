/** Texts in several styles, including some that are hard to lay out. */
export const SAMPLE_TEXTS = [
  "Just got the new headphones and the sound is unreal. Best money I've spent this year!",
  "Train cancelled again. Third time this week. How does anyone get to work on time?",
  "Reading the minutes of yesterday's council meeting https://example.org/minutes/2026-11-19",
  "@metro_service is there any update on the outage? #commute",
  "I cannot believe they remembered my birthday 🥹🎂 what a lovely surprise",
  "The soup was cold, the waiter was rude and the bill was wrong.",
  "Anyone else worried about tonight's storm? The wind is already terrible here.",
  "Match starts at eight. Line-up is out.",
  "هذا المنتج رائع جدا وأنصح به الجميع، شكرا لكم!",
  "So proud of the team 👏👏 we shipped it, on time, and nobody had to work the weekend.\nSecond line with a thought that goes on for a bit, because people do write like that when they are happy.",
  "Miss you, grandpa. The house is quiet.",
  "Supercalifragilisticexpialidocious".repeat(8),
];

/** A seeded random number generator. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
