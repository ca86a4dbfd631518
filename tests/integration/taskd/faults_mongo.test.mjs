import { testFaults } from "./faults.mjs";

testFaults("mongo");
