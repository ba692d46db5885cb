declare module "virtual:guide" {
  export const PAGES: readonly import("../../../build/guide.ts").GuidePage[];
  export const LOADERS: Readonly<
    Record<string, () => Promise<{ default: readonly import("../../../build/markdown.ts").Block[] }>>
  >;
}

declare module "virtual:guide/search" {
  const sections: readonly import("../../../build/guide.ts").GuideSection[];
  export default sections;
}
