# The cURL commands of the documentation, as printed. tests/contract/test_documented_curls.py runs each of them.

# create_account
curl -X POST 'https://baas.stg.catalisa.app/baas/api/v1/accounts' \
-H 'Authorization: Bearer SEU_TOKEN' \
-H 'Content-Type: application/json' \
-d '{
"data": {
"type": "accounts",
"attributes": {
"providerId": "550e8400-e29b-41d4-a716-446655440001",
"holderName": "Empresa ABC Ltda",
"holderDocument": "12.345.678/0001-90",
"holderDocumentType": "CNPJ",
"type": "CHECKING"
}
}
}'

# list_accounts
curl 'https://baas.stg.catalisa.app/baas/api/v1/accounts?filter[status]=ACTIVE&page[size]=10' \
-H 'Authorization: Bearer SEU_TOKEN'

# get_account
curl 'https://baas.stg.catalisa.app/baas/api/v1/accounts/550e8400-e29b-41d4-a716-446655440100' \
-H 'Authorization: Bearer SEU_TOKEN'

# change_account
curl -X PATCH 'https://baas.stg.catalisa.app/baas/api/v1/accounts/550e8400-e29b-41d4-a716-446655440100' \
-H 'Authorization: Bearer SEU_TOKEN' \
-H 'Content-Type: application/json' \
-d '{
"data": {
"type": "accounts",
"id": "550e8400-e29b-41d4-a716-446655440100",
"attributes": {
"metadata": {
"costCenter": "CC-001"
}
}
}
}'

# close_account
curl -X POST 'https://baas.stg.catalisa.app/baas/api/v1/accounts/550e8400-e29b-41d4-a716-446655440100/close' \
-H 'Authorization: Bearer SEU_TOKEN'

# send_payment
curl -X POST 'https://baas.stg.catalisa.app/baas/api/v1/pix/payments' \
-H 'Authorization: Bearer SEU_TOKEN' \
-H 'Content-Type: application/json' \
-d '{
"data": {
"type": "pix-payments",
"attributes": {
"accountId": "550e8400-e29b-41d4-a716-446655440100",
"amount": 1500.00,
"recipientKeyType": "CPF",
"recipientKeyValue": "12345678901",
"description": "Pagamento fornecedor"
}
}
}'

# list_payments
curl 'https://baas.stg.catalisa.app/baas/api/v1/pix/payments?filter[accountId]=550e8400-e29b-41d4-a716-446655440100&filter[status]=COMPLETED' \
-H 'Authorization: Bearer SEU_TOKEN'

# send_kyc
curl -X POST 'https://baas.stg.catalisa.app/baas/api/v1/accounts/550e8400-e29b-41d4-a716-446655440100/kyc' \
-H 'Authorization: Bearer SEU_TOKEN' \
-H 'Content-Type: application/json' \
-d '{
"data": {
"type": "kyc",
"attributes": {
"documents": [
{
"type": "RG",
"front": "...",
"back": "..."
},
{
"type": "SELFIE",
"front": "..."
},
{
"type": "PROOF_OF_ADDRESS",
"front": "..."
}
]
}
}
}'

# get_kyc
curl 'https://baas.stg.catalisa.app/baas/api/v1/accounts/550e8400-e29b-41d4-a716-446655440100/kyc' \
-H 'Authorization: Bearer SEU_TOKEN'
