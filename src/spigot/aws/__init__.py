"""Spigot on AWS: what stands behind API Gateway, Lambda, SQS and S3. boto3 is imported late."""
