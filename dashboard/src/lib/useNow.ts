import { useEffect, useState } from "react";

/** The current time, updated at every multiple of `interval` milliseconds. */
export function useNow(interval: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const tick = () => {
      setNow(Date.now());
      timer = setTimeout(tick, interval - (Date.now() % interval) + 5);
    };
    timer = setTimeout(tick, interval - (Date.now() % interval) + 5);
    return () => clearTimeout(timer);
  }, [interval]);
  return now;
}
