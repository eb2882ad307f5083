export function Logo() {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <path
        d="M3 21l6-7 4.5 5L18 7l4.5 11L29 14"
        fill="none"
        stroke="var(--color-positive)"
        strokeWidth="3"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
