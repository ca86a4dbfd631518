import { testServerFaults } from "./faults.mjs";

if (process.env.TASKWIRE_TEST_MONGODB_URL) console.log("a server that was given by its URL is not ours to kill");
else testServerFaults("the MongoDB-wire server");
