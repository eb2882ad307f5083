/** Frequent words that do not explain a change, in common languages. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  [
    "a about after again all also am an and any are as at be because been before being but by can could did do does",
    "don't doing down during each even every few for from get gets getting got had has have having he her here hers him",
    "his how i i'm if in into is isn't it it's its itself just like made make me more most much my no nor not now of off",
    "on once one only or other our out over own really same she should so some still such than that that's the their",
    "them then there these they this those through to too two under until up us very was we were what when where which",
    "while who why will with would you your",
    "aber als am an auch auf aus bei bin bis da das dass dem den der des die ein eine einen er es für hat ich ihr im in",
    "ist ja kein mit nach nicht noch nur oder schon sein sich sie sind so über um und uns vom von war was wenn wie wir zu",
    "au aux avec ce ces dans de des du elle en est et il ils je la le les leur lui mais me ne nous on ou par pas plus pour",
    "que qui sa se ses son sur tu un une vous",
    "al como con de del el ella en es esta este la las lo los más mi muy no para pero por que se si sin su un una y ya",
  ]
    .join(" ")
    .split(" "),
);

/** Whether a word is too common to explain a change. */
export function isStopWord(word: string): boolean {
  return STOP_WORDS.has(word.toLowerCase().replaceAll("’", "'"));
}
