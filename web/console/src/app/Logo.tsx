import css from "./Logo.module.css";

export function Logo() {
  return (
    <svg viewBox="0 0 24 24" className={css.logo} aria-hidden>
      <path d="M2 13c4.5 0 6-5 10.5-5 3 0 4.5 2 7 5-3.5 0-4.5 5-9 5-3 0-5-1.6-6-3.5M12.5 8C13 5.5 15 4 17 4M11 18v3" />
    </svg>
  );
}
