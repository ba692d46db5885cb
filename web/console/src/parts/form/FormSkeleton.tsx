import css from "./FormSkeleton.module.css";

/** Where the fields of a form will stand. */
export function FormSkeleton() {
  return (
    <div aria-hidden aria-busy className={css.skeleton}>
      {[0, 1, 2, 3, 4, 5].map((each) => (
        <div key={each}>
          <span />
          <span />
        </div>
      ))}
    </div>
  );
}
