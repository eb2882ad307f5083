import { chromium } from "@playwright/test";
const base = process.argv[2]; const names = process.argv[3]?.split(",");
const paths = { overview:"/", overview24:"/?range=24h", overview7d:"/?range=7d", live:"/live", posts:"/posts?range=7d", emotions:"/emotions?range=7d", alerts:"/alerts?range=24h", system:"/system", try:"/try", topics:"/topics" , rules:"/alerts/rules", receivers:"/alerts/receivers", silences:"/alerts/silences"};
const sizes = { wide:[1440,900,"light"], dark:[1440,900,"dark"], phone:[390,844,"light"], phonedark:[390,844,"dark"], huge:[2560,1440,"light"], tab:[1024,768,"light"] };
const wantSizes = process.argv[4]?.split(",") ?? Object.keys(sizes);
const b = await chromium.launch({ executablePath:"/usr/bin/chromium", args:["--no-sandbox"] });
for (const s of wantSizes) for (const n of names ?? Object.keys(paths)) {
  const [w,h,c]=sizes[s];
  const ctx = await b.newContext({ viewport:{width:w,height:h}, colorScheme:c, locale:"en-GB", timezoneId:"Europe/Zurich" });
  const p = await ctx.newPage();
  p.on("console", m => m.type()==="error" && console.log(n,s,m.text()));
  p.on("pageerror", e => console.log(n,s,String(e)));
  await p.goto(base+(paths[n]??n)); await p.waitForTimeout(2500);
  await p.screenshot({ path:`/tmp/dash/shots/${n.replace(/\W/g,"_")}-${s}.png` , fullPage: process.argv[5]==="full"});
  const side = await p.evaluate(()=>document.documentElement.scrollWidth>innerWidth); if(side) console.log("SIDEWAYS",n,s);
  await ctx.close();
}
await b.close();
