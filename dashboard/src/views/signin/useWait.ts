import { useEffect, useState } from "react";
import { ApiError } from "@/api/client";

/** The seconds until the server accepts another attempt after `error`, counting down to 0. */
export function useWait(error: unknown): number {
  const seconds = error instanceof ApiError ? (error.retryAfter ?? 0) : 0;
  const [end, setEnd] = useState(0);
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (seconds === 0 || !error) return;
    const start = Date.now();
    setNow(start);
    setEnd(start + seconds * 1_000);
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [error, seconds]);
  return error && seconds > 0 ? Math.max(0, Math.ceil((end - now) / 1_000)) : 0;
}
