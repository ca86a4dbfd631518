import { testFaults } from "./faults.mjs";

testFaults("sqlite");
