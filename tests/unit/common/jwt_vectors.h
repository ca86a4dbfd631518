/* jwt_vectors.h -- tokens and keys that another implementation made (node:crypto), so that a
 * mistake made twice in our own code would still be seen. The private keys were not kept.
 *
 * All three carry {"sub":"user-1","org":"acme","name":"Ann","roles":["dev","admin"],
 * "iat":1700000000,"exp":4000000000,"jti":"j1"}. */
#ifndef TASKWIRE_TESTS_JWT_VECTORS_H
#define TASKWIRE_TESTS_JWT_VECTORS_H

#define VECTOR_SECRET "0123456789abcdef0123456789abcdef"

#define VECTOR_HS256 \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJvcmciOiJhY21lIiwibmFtZSI6IkF" \
    "ubiIsInJvbGVzIjpbImRldiIsImFkbWluIl0sImlhdCI6MTcwMDAwMDAwMCwiZXhwIjo0MDAwMDAwMDAwLCJqdGk" \
    "iOiJqMSJ9.NxKdLlvsegulLpnLvLuomiXVeusIh1WpCEAnTYHkai8"

#define VECTOR_HS256_FINGERPRINT "46aa1fedcc0867ad68a40b8117e305654a68130671361ce01067080cd2415b91"

#define VECTOR_RS256 \
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJvcmciOiJhY21lIiwibmFtZSI6IkF" \
    "ubiIsInJvbGVzIjpbImRldiIsImFkbWluIl0sImlhdCI6MTcwMDAwMDAwMCwiZXhwIjo0MDAwMDAwMDAwLCJqdGk" \
    "iOiJqMSJ9.dIffQy-XabfQTL8F8D0Cq1a_eYhV520cKJLLJiIeVngwCSTimfZBuD8lG26hzDKZAZ15Nmpr1OEZhs" \
    "rzRWa_tULsGUeWdOkxgjgHimgm0-zsUSiUK00Lt2Ap4OR8m9sbejODj8IUFo7PhZ2DAjpvF08pkhW4-qhrfwH7s_" \
    "InT6RdIhOV-kxrblP6LAje5tjg8d8HEYuS2XJhznVwSqzVCmpjqdk2MuqrzhdsV_snwnaR_BhEXU2e6lfdGzoYju" \
    "QGjR7-AjKHbQMf0QihcpjdVSGpYXKh2eri08t80ZalObpkbKoX3D_UEopVgIYQKQtkk5-NU09WGaSI3vieWN_rfw"

#define VECTOR_RSA_PEM \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAl1nSD4Tpjft8tio9CRQk\n" \
    "jkPJzhi7NeUmnbaXrlL5Y81YUXkJ7MtVQHcQc3t7Gev5WIelpM2AehtvhJXvnwCi\n" \
    "w4P7zby/cHyNRtzTivmPL0geIZpdAIjQcJTDV0RoJ0ISHqqUMBpemsZTGVVJbrYV\n" \
    "pHzhaySxEqmQ5yf10F2XBTDWEFm2lunjiWLToOjua37608eBScUNtZrqDJlJJorV\n" \
    "Sk7hlUctGMihHytCfisntVqk4He1wvjIEs2U19nX9cUiXc+HyyONLqvlmv5UUFjh\n" \
    "A5nn558Nhj9Qq5xtC+lzaP4Q5AzTleDroaSY316+bQF+/IiSvs0kLPxjcTCgvbzy\n" \
    "ZQIDAQAB\n" \
    "-----END PUBLIC KEY-----\n"

#define VECTOR_ES256 \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJvcmciOiJhY21lIiwibmFtZSI6IkF" \
    "ubiIsInJvbGVzIjpbImRldiIsImFkbWluIl0sImlhdCI6MTcwMDAwMDAwMCwiZXhwIjo0MDAwMDAwMDAwLCJqdGk" \
    "iOiJqMSJ9.1UYGCcZKa9wRXVMRtuYlOAiSZLV6RdW5sCATgtRy2P-r3bww-8Doe2ftc40zD6Kr7GuIWRltRiX8Gw" \
    "MP0-6D9g"

#define VECTOR_P256_PEM \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmSL0CvBU2mPaEhH/Gdp4Gla+MzSQ\n" \
    "O7moyz4LzjF4DlFmerDyvYIKESpLZyh4MOZIVGEQdSh5haI069e0MUHAUA==\n" \
    "-----END PUBLIC KEY-----\n"

#endif
