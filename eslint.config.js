import js from "@eslint/js";
import tseslint from "typescript-eslint";
import { house } from "./misc/lint-house.js";

/** What reads clocks, chance and the environment, each with the one file that may. */
const oneOwner = [
  { object: "process", property: "env", message: "Only base/config.ts reads the environment." },
  { object: "Date", property: "now", message: "Clocks are in base/clock.ts." },
  { object: "performance", property: "now", message: "Clocks are in base/clock.ts." },
  { object: "Math", property: "random", message: "Chance is in base/clock.ts." },
];

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "coverage/", "lib/kernels/assembly/"] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    plugins: { house },
    rules: { "no-warning-comments": ["error", { terms: ["todo", "fixme", "xxx"] }], eqeqeq: "error", "prefer-const": "error" },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } },
  },
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/return-await": ["error", "in-try-catch"],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/require-await": "off",
      // Objects here are records of functions that close over their state; classes, which need `this`, are few.
      "@typescript-eslint/unbound-method": "off",
      "no-restricted-syntax": ["error",
        { selector: "ExportDefaultDeclaration", message: "Exports are named." },
        { selector: "ClassDeclaration[superClass]:not([superClass.name='Error'])", message: "No inheritance but Error." },
      ],
    },
  },
  {
    files: ["lib/**/*.ts", "bin/**/*.ts"],
    rules: {
      "house/layering": "error",
      "house/no-circles": "error",
      "house/documented-exports": "error",
      "no-console": "error",
      "no-restricted-properties": ["error", ...oneOwner],
      "max-lines": ["error", { max: 400 }],
      "max-lines-per-function": ["error", { max: 70 }],
    },
  },
  // Mocha asks for a constructor as the default export.
  { files: ["test/support/reporter.ts"], rules: { "no-restricted-syntax": "off" } },
  { files: ["lib/base/config.ts", "lib/base/clock.ts"], rules: { "no-restricted-properties": "off" } },
  {
    files: ["test/**/*.ts"],
    rules: {
      // expect(x).to.be.true and its like are expressions.
      "@typescript-eslint/no-unused-expressions": "off",
      // What a test reads back is checked by its expectations.
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "no-restricted-syntax": ["error",
        { selector: "MemberExpression[object.name=/^(it|describe)$/][property.name=/^(only|skip)$/]", message: "All tests run." },
      ],
    },
  },
);
