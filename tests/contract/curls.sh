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

# register_key
curl -X POST 'https://baas.stg.catalisa.app/baas/api/v1/pix/keys' \
-H 'Authorization: Bearer SEU_TOKEN' \
-H 'Content-Type: application/json' \
-d '{
"data": {
"type": "pix-keys",
"attributes": {
"accountId": "550e8400-e29b-41d4-a716-446655440100",
"keyType": "EMAIL",
"keyValue": "financeiro@empresa-abc.com.br"
}
}
}'

# list_keys
curl 'https://baas.stg.catalisa.app/baas/api/v1/pix/keys?filter[accountId]=550e8400-e29b-41d4-a716-446655440100' \
-H 'Authorization: Bearer SEU_TOKEN'

# delete_key
curl -X DELETE 'https://baas.stg.catalisa.app/baas/api/v1/pix/keys/550e8400-e29b-41d4-a716-446655440310' \
-H 'Authorization: Bearer SEU_TOKEN'

# look_up_key
curl -X POST 'https://baas.stg.catalisa.app/baas/api/v1/pix/keys/lookup' \
-H 'Authorization: Bearer SEU_TOKEN' \
-H 'Content-Type: application/json' \
-d '{
"data": {
"type": "pix-key-lookup",
"attributes": {
"keyType": "CPF",
"keyValue": "12345678901"
}
}
}'

# make_qrcode
curl -X POST 'https://baas.stg.catalisa.app/baas/api/v1/pix/qrcode' \
-H 'Authorization: Bearer SEU_TOKEN' \
-H 'Content-Type: application/json' \
-d '{
"data": {
"type": "pix-qrcode",
"attributes": {
"accountId": "550e8400-e29b-41d4-a716-446655440100",
"type": "DYNAMIC",
"amount": 250.00,
"description": "Pagamento pedido #1234",
"expiresInMinutes": 30
}
}
}'

# decode_qrcode
curl -X POST 'https://baas.stg.catalisa.app/baas/api/v1/pix/qr-codes/decode' \
-H 'Authorization: Bearer SEU_TOKEN' \
-H 'Content-Type: application/json' \
-d '{
"data": {
"type": "pix-qrcode-decode",
"attributes": {
"qrCodeText": "00020126580014br.gov.bcb.pix0136550e8400-e29b-41d4-a716-446655440100..."
}
}
}'

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

# refund
curl -X POST 'https://baas.stg.catalisa.app/baas/api/v1/pix/transfers/550e8400-e29b-41d4-a716-446655440300/refund' \
-H 'Authorization: Bearer SEU_TOKEN' \
-H 'Content-Type: application/json' \
-d '{
"data": {
"type": "pix-refunds",
"attributes": {
"amount": 500.00,
"reason": "Produto devolvido pelo cliente"
}
}
}'
